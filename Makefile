# Each target does its own set-up on a machine with Python >= 3.11, make and a compiler.
PYTHON ?= python3
BIN := .venv/bin
ON_CPU := $(BIN)/accelerate launch --config_file configs/accelerate/cpu1.yaml

.PHONY: help demo test test-all check images-check prior docs docs-check clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/ready  ## the generated data set from video to AUC and report, minutes on two cores
	$(ON_CPU) launch/demo.py

test: .venv/ready  ## minutes
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: .venv/ready  ## everything, half an hour on two cores; reports what the tests cover
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations=15 --cov=dist_vad --cov-report=term:skip-covered

check: .venv/ready  ## style, types, and the way that imports go
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache && $(BIN)/pyright
	@if command -v shellcheck >/dev/null; then shellcheck slurm/*.sh .ci/run; \
	else echo "shellcheck is not installed: the batch scripts are not checked"; fi

images-check: .venv/ready  ## as root, with debootstrap: the steps of deploy/Dockerfile in a fresh Debian; downloads PyTorch
	DIST_VAD_DEBIAN=1 $(BIN)/python -m pytest tests/deploy

prior: .venv/ready  ## the state to start from, trained on generated video alone and put into the package; an hour on two cores
	$(BIN)/dist-vad train --config configs/prior.yaml
	mkdir -p dist_vad/prior && cp runs/prior/states/inference-*/model.safetensors runs/prior/states/inference-*/state.json dist_vad/prior/

docs: .venv/ready  ## the pages of docs/ with the reference as a site, into build/site; a warning fails it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open build/site/index.html in a browser"

docs-check: .venv/ready  ## seconds; that files, links and commands which the docs name exist
	$(BIN)/python -m pytest tests/docs

clean:  ## all that was made, but for the environment
	rm -rf runs build .pytest_cache .ruff_cache .hypothesis
