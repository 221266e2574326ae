# The production image: web, worker and beat are the same image with different commands.

FROM node:24-bookworm-slim AS frontend
WORKDIR /app/frontend
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
COPY templates/ /app/templates/
RUN node build.mjs

FROM python:3.13-slim-bookworm AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/opt/scrm
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
COPY pyproject.toml uv.lock ./
# The translations' compiler is a tool of development; it is taken out again below.
RUN uv sync --locked --no-default-groups --group dev
COPY . .
COPY --from=frontend /app/frontend/dist frontend/dist
# Settings want values; none of these is used for anything but collecting files.
RUN SECRET_KEY=build DATA_KEYS=b:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    INDEX_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= DATABASE_URL=postgresql:///none \
    REDIS_URL=redis://none DATA_DIR=/app/data DJANGO_SETTINGS_MODULE=scrm.settings.production \
    sh -c '/opt/scrm/bin/python manage.py compile_translations && /opt/scrm/bin/python manage.py collectstatic --noinput'
RUN uv sync --locked --no-default-groups

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app scrm
COPY --from=build /opt/scrm /opt/scrm
COPY --from=build --chown=scrm /app /app
ENV PATH=/opt/scrm/bin:$PATH PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=scrm.settings.production DATA_DIR=/app/data
WORKDIR /app
USER scrm
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "8", "--respawn-failed-workers", "--no-ws", "scrm.wsgi:application"]
