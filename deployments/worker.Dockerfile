# A worker, and the image of Docker and Kubernetes pools:
#   docker build -f deployments/worker.Dockerfile -t daybreak-worker .
FROM python:3.12-slim

# For `pull: *git` of prefect.yaml.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 daybreak
WORKDIR /daybreak
RUN chown daybreak /daybreak
USER daybreak

# The dependencies alone first, as `make .venv/ready` installs them: they change seldom.
COPY requirements.lock .
RUN python -m venv .uv && .uv/bin/python -m pip install -qq --no-cache-dir uv \
    && .uv/bin/uv venv -q --no-python-downloads --python "$(command -v python)" .venv \
    && .uv/bin/uv pip sync -q --no-cache --python .venv/bin/python --require-hashes \
       --compile-bytecode requirements.lock
ENV PATH=/daybreak/.venv/bin:$PATH PYTHONUNBUFFERED=1

COPY --chown=daybreak pyproject.toml README.md LICENSE prefect.yaml ./
COPY --chown=daybreak flows flows
COPY --chown=daybreak tasks tasks
COPY --chown=daybreak dbt dbt
COPY --chown=daybreak deployments deployments
RUN .uv/bin/uv pip install -q --no-cache --python .venv/bin/python --no-deps \
    --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q flows tasks

CMD ["prefect", "worker", "start", "--pool", "daybreak"]
