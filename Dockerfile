FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
# git serves manage.py import_git
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 slipway && mkdir /data && chown slipway /data
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY manage.py ./
COPY config config
COPY deployments deployments
COPY metrics metrics
COPY templates templates
COPY static static
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 SLIPWAY_HOST=0.0.0.0 SLIPWAY_DATA_DIR=/data
USER slipway
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=30s CMD python -c "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 8000)}/healthz')"
CMD ["python", "manage.py", "serve"]
