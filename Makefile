PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv is quicker where it is installed; pip is part of every Python.
UV := $(shell command -v uv 2>/dev/null)
ifdef UV
# With pip in it, for whoever runs make without uv afterwards.
MAKE_VENV = $(UV) venv --quiet --seed --python $(PYTHON) $(VENV)
INSTALL = $(UV) pip install --quiet --python $(BIN)/python --require-hashes -r
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r
endif
export PYTHONUNBUFFERED := 1

.PHONY: help run test coverage lint fix hooks docs demo bench audit sbom faults fuzz lock

help: ## Print this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.run ## Install and start everything: database, worker, beat, web
	@exec $(BIN)/python -m smplat.launch

test: $(VENV)/.dev ## Install and run the whole test suite on a real PostgreSQL
	@$(BIN)/python -m pytest $(ARGS)

coverage: $(VENV)/.dev ## Run the tests and list the lines and branches they miss
	@sh -ec '$(BIN)/coverage erase; $(BIN)/coverage run -m pytest $(ARGS); $(BIN)/coverage combine --quiet; $(BIN)/coverage report'

lint: $(VENV)/.dev ## Check style, spelling, imports, types and migrations
	@sh -ec '$(BIN)/ruff check .; $(BIN)/ruff format --check .; $(BIN)/typos; $(BIN)/lint-imports --no-logo; DEBUG=1 $(BIN)/mypy .; DEBUG=1 VAR_DIR=var/lint $(BIN)/python manage.py makemigrations --check --dry-run'

fix: $(VENV)/.dev ## Auto-fix style
	@sh -ec '$(BIN)/ruff check --fix .; $(BIN)/ruff format .'

hooks: $(VENV)/.dev ## Check style, spelling, imports and types before each commit
	@$(BIN)/pre-commit install

docs: $(VENV)/.run ## Update the generated documentation
	@$(BIN)/python -m docs.generate

demo: $(VENV)/.run ## Fill the running instance with samples and export them
	@$(BIN)/python -m smplat.demo

bench: $(VENV)/.dev ## Measure what has to be fast; prints ratios (ARGS=--write keeps them)
	@$(BIN)/python -m bench $(ARGS)

audit: $(VENV)/.dev ## Look locked packages up among known vulnerabilities
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.lock -r requirements-dev.lock

sbom: $(VENV)/.dev ## List locked packages in var/sbom.json (CycloneDX)
	@mkdir -p var && $(BIN)/cyclonedx-py requirements --output-reproducible --output-file var/sbom.json requirements.lock

faults: $(VENV)/.dev ## Injure a desk for ten minutes; writes docs/reliability.md
	@$(BIN)/python -m tests.faults.checker $(ARGS)

fuzz: $(VENV)/.dev ## Send hostile requests to a desk of its own, and play histories
	@sh -ec '$(BIN)/python -m tests.fuzz $(ARGS); HISTORIES=300 $(BIN)/python -m pytest -n 0 tests/reporting/exports/test_histories.py'

lock: $(BIN)/python ## Update lock files
	@$(if $(UV),,$(BIN)/python -m pip install --quiet --disable-pip-version-check uv)
	@$(LOCK) -o requirements.lock
	@$(LOCK) --group dev -o requirements-dev.lock

LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(or $(UV),$(BIN)/uv) pip compile pyproject.toml --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name one with PYTHON=…")'
	@$(MAKE_VENV)

$(VENV)/.run: requirements.lock | $(BIN)/python
	@$(INSTALL) requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@$(INSTALL) requirements-dev.lock
	@touch $@
