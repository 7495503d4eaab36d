# The two commands a person needs are `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
BENCH_DATA ?= data/bench
BENCH_POSTGRES ?= postgres://postgres@127.0.0.1:5432
RUN_STAMP := .venv/installed-to-run
DEV_STAMP := .venv/installed-to-develop

.PHONY: help run test test-browser check format bench bench-large lock clean

help: ## Show what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## Run Slipway at http://127.0.0.1:8000 (PORT changes it)
	@exec $(BIN)/python manage.py serve

test: $(DEV_STAMP) ## Run the tests, all but those in a browser
	$(BIN)/python -m pytest -m "not browser" $(ARGS)

test-browser: $(DEV_STAMP) ## Run the tests in Debian's Chromium
	$(BIN)/python -m pytest -m browser $(ARGS)

check: $(DEV_STAMP) ## Lint, types, import contracts, missing migrations, the OpenAPI document, deployment checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	SLIPWAY_BASE_URL=https://slipway.example $(BIN)/python manage.py check --deploy --fail-level WARNING

format: $(DEV_STAMP) ## Format the Python code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV_STAMP) ## Run the benchmarks; they print ratios
	$(BIN)/python bench/import_history.py
	$(BIN)/python bench/rederive.py
	$(BIN)/python bench/one_deployment.py
	$(BIN)/python bench/dashboard.py --large 50000
	$(BIN)/python bench/one_more_deployment.py --small 2000 --large 10000

bench-large: $(DEV_STAMP) ## Run those that take an hour: 1,000,000 deployments on SQLite, 10,000,000 on PostgreSQL
	mkdir -p $(BENCH_DATA)
	$(BIN)/python bench/dashboard.py --data $(BENCH_DATA)
	$(BIN)/python bench/one_more_deployment.py --data $(BENCH_DATA)
	for size in 10k 10m; do psql $(BENCH_POSTGRES)/postgres -c "CREATE DATABASE slipway_bench_$$size" || true; done
	$(BIN)/python bench/dashboard.py --large 10000000 --database-url $(BENCH_POSTGRES)/slipway_bench_{size}
	$(BIN)/python bench/one_more_deployment.py --large 10000000 --database-url $(BENCH_POSTGRES)/slipway_bench_{size}

lock: $(DEV_STAMP) ## Lock the dependencies anew, with hashes
	$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.txt
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements-dev.txt

clean: ## Remove what was installed and cached; data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

$(RUN_STAMP): requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(RUN_STAMP)
