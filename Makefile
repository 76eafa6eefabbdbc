PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONUNBUFFERED := 1

.PHONY: help run test lint fix docs demo bench lock

help: ## Print this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

run: $(VENV)/.run ## Install and start everything: database, worker, beat, web
	@exec $(BIN)/python -m smplat.launch

test: $(VENV)/.dev ## Install and run the whole test suite on a real PostgreSQL
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## Check style, imports, types and migrations
	@sh -ec '$(BIN)/ruff check .; $(BIN)/ruff format --check .; $(BIN)/lint-imports --no-logo; DEBUG=1 $(BIN)/mypy .; DEBUG=1 VAR_DIR=var/lint $(BIN)/python manage.py makemigrations --check --dry-run'

fix: $(VENV)/.dev ## Mend style where a machine can
	@sh -ec '$(BIN)/ruff check --fix .; $(BIN)/ruff format .'

docs: $(VENV)/.run ## Write the generated documentation anew
	@$(BIN)/python -m docs.generate

demo: $(VENV)/.run ## Fill the running instance with samples and export them
	@$(BIN)/python -m smplat.demo

bench: $(VENV)/.dev ## Measure capture and reading; prints ratios of one run
	@$(BIN)/python -m bench

lock: $(BIN)/python ## Resolve the dependencies anew
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(LOCK) -o requirements.lock
	@$(LOCK) --group dev -o requirements-dev.lock

LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile pyproject.toml --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name one with PYTHON=…")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
