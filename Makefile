# Every verb does all it needs: `make demo` on a fresh machine makes .venv, installs the lock, and runs the pipeline.
# Needs Python 3.11 or 3.12, git and a C++ compiler.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := $(CURDIR)/.venv
# named by content: a changed lock installs again, a fresh checkout's new file times do not
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')
PRESET ?=

export PRESET
export PATH := $(VENV)/bin:$(PATH)
export PREFECT_HOME ?= $(CURDIR)/.prefect
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS = 300
export NO_ALBUMENTATIONS_UPDATE = 1
export DVC_NO_ANALYTICS = 1
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH VIRTUAL_ENV

.PHONY: help install demo test test-faults check format ui deploy bench deps lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## .venv with exactly the locked versions, and this project

# the first Python that runs and can make environments; a pyenv shim may exist and fail
$(STAMP): requirements.lock pyproject.toml
	@if ! $(VENV)/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then \
	  for python in python3.12 python3.11 python3 /usr/bin/python3.12 /usr/bin/python3.11; do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; \
	    then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then echo 'error: needs Python 3.11 or 3.12 with venv; found none that runs' >&2; exit 2; fi; \
	  rm -rf $(VENV) && $$found -m venv $(VENV); \
	fi
	@test -x $(VENV)/bin/uv || $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	@rm -f $(VENV)/.installed-*
	$(VENV)/bin/uv pip sync --quiet --python $(VENV)/bin/python --compile-bytecode requirements.lock
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## the whole pipeline on the embedded sample, or on PRESET=NAME of presets/
	@python -m flows.full_pipeline $(if $(PRESET),--preset "$$PRESET",)

test: install ## every test but those that kill processes
	@python -m pytest -m "not faults"

test-faults: install ## kills real trainings, workers, servers and flows, and runs them again
	@python -m pytest -m faults

check: install ## ruff (format and lint) and mypy (strict)
	@ruff format --check .
	@ruff check .
	@mypy

format: install ## let ruff format and mend what it can
	@ruff format . && ruff check --fix .

ui: install ## Prefect's and MLflow's pages on loopback, until Ctrl-C
	@python -m flows.pages

deploy: install ## register prefect.yaml's deployments (PREFECT_API_URL names the server), making pools that lack
	@python -m flows.deploy

bench: install ## every figure the documentation claims
	@for file in benchmarks/*.py; do python -m "benchmarks.$$(basename "$$file" .py)" || exit 1; done

deps: install ## write each stage's import closure into dvc.yaml
	@python -m flows.imports

lock: install ## resolve requirements.lock anew from pyproject.toml, keeping what is pinned
	@uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate \
	  --output-file requirements.lock pyproject.toml

clean: ## remove everything the pipeline wrote, DVC's cache and Prefect's and MLflow's records; .venv stays
	@git clean -ffdxq -- artifacts
	@rm -rf .dvc/cache .dvc/tmp .prefect .trashseg mlflow.db mlflow.db-* mlruns mlartifacts dvc.lock
