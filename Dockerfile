# One image for the web server, the worker, the scheduler and one-off commands; docker-compose.yml gives the last three
# a command of their own.

FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/venv
COPY requirements.lock .
# The hashes make sure that every build installs the files that the suite ran with.
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock

FROM python:3.11-slim-bookworm
# Output must not wait in a buffer, and the code belongs to root, so no bytecode can be written beside it.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT=8000 VAR_DIR=/var/lib/smplat
# The number is fixed, so that the files of a volume keep their owner whatever image comes next.
RUN useradd --uid 10001 --home-dir /var/lib/smplat --no-create-home --shell /usr/sbin/nologin smplat \
    && install --directory --owner smplat --group smplat --mode 0700 /var/lib/smplat
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY smplat smplat
COPY telemetry telemetry
COPY reporting reporting
COPY templates templates
COPY static static
USER smplat
# Spool, local snapshots and the scheduler's notes: all that the application writes outside of database and lake.
VOLUME /var/lib/smplat
EXPOSE 8000
# An ALLOWED_HOSTS of one's own has to keep 127.0.0.1, or this gets a 400.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
# The same command as in smplat/launch.py, open to the container's network. The shell fills in the two settings and is
# replaced by the server, which so gets the signal to stop.
CMD ["sh", "-c", "exec python -m granian --interface asginl --host 0.0.0.0 --port \"$PORT\" --workers \"${WEB_CONCURRENCY:-1}\" --http 1 --http1-header-read-timeout 10000 --backlog 2048 --backpressure 4096 --workers-kill-timeout 5 --no-ws --log-level error smplat.asgi:application"]
