# The two commands a person needs are `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
RUN_STAMP := .venv/installed-to-run
DEV_STAMP := .venv/installed-to-develop

.PHONY: help run test test-browser check format bench lock clean

help: ## Show what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## Run Slipway at http://127.0.0.1:8000 (PORT changes it)
	@exec $(BIN)/python manage.py serve

test: $(DEV_STAMP) ## Run the tests, all but those in a browser
	$(BIN)/python -m pytest -m "not browser" $(ARGS)

test-browser: $(DEV_STAMP) ## Run the tests in Debian's Chromium
	$(BIN)/python -m pytest -m browser $(ARGS)

check: $(DEV_STAMP) ## Lint, types, import contracts, missing migrations, deployment checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	SLIPWAY_BASE_URL=https://slipway.example $(BIN)/python manage.py check --deploy --fail-level WARNING

format: $(DEV_STAMP) ## Format the Python code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV_STAMP) ## Run the benchmarks; they print ratios
	$(BIN)/python bench/import_history.py
	$(BIN)/python bench/one_deployment.py

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
