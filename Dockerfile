# planql with its tested packages, for a machine with an NVIDIA GPU and a driver for CUDA 13 (580.65.06 or newer).
#
#   docker build -t planql .                              or, with vLLM for model.vllm: true: --build-arg EXTRAS=gpu
#   docker run --gpus all --ipc=host -v $PWD/runs:/planql/runs -v hub:/cache/huggingface -e HF_TOKEN planql sft CONFIG

FROM ghcr.io/astral-sh/uv:0.9.5 AS uv

# PyTorch 2.13's wheel is built for CUDA 13.0 and brings its own libraries of it
FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04

ARG EXTRAS=""
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Triton compiles its kernels with gcc
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1001 planql \
    && install --directory --owner planql /planql /planql/runs /cache/huggingface /cache/planql

COPY --from=uv /uv /usr/local/bin/uv
USER 1001
WORKDIR /planql
ENV PATH=/planql/.venv/bin:$PATH \
    HF_HOME=/cache/huggingface \
    PLANQL_CACHE=/cache/planql \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1

# The packages first: they change more seldom than the code
COPY --chown=planql pyproject.toml README.md Makefile constraints.txt requirements-unsloth.txt requirements-no-deps.txt ./
RUN uv python install 3.11 \
    && make install PYTHON="$(uv python find 3.11)" \
    && if [ -n "$EXTRAS" ]; then python -m pip install --constraint constraints.txt --editable ".[$EXTRAS]"; fi

COPY --chown=planql . .
RUN python -m pip install --no-deps --editable .
VOLUME ["/planql/runs", "/cache/huggingface", "/cache/planql"]
ENTRYPOINT ["python", "-m"]
CMD ["budget", "doctor"]
