# make demo    audit two models on bundled data (installs the core only)
# make test    install everything, run all tests
# make check   lint, format, types, layers, documentation
# make help    everything else

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev

export PIP_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore
export MPLBACKEND := Agg
# Many small models are trained; on few cores, threads within each cost more than they give.
export OMP_NUM_THREADS ?= 1

.PHONY: help demo setup quick test check lint docs validity benchmarks hidden pictures texts defenses clean

help:  ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(CORE)  ## Audit a leaky and a tight model on bundled data; about a minute
	@$(BIN)/keepmum demo --out demo

setup: $(DEV)  ## Install the package with everything that development needs

quick: $(DEV)  ## The fast half of check and test
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -m "not slow"

test: $(DEV)  ## Run all tests
	@$(BIN)/python -m pytest

check: lint docs  ## Lint, format, types, layers, documentation

lint: $(DEV)  ## Lint, format, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict src
	@$(BIN)/lint-imports

docs: $(DEV)  ## Build the documentation and run the examples in it
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@$(BIN)/sphinx-build -q -W --keep-going -b doctest docs docs/_build/doctest
	@echo "documentation: docs/_build/html/index.html"

validity: $(DEV)  ## Simulate the statistics at full size and rewrite docs/validity.md; takes a while
	@$(BIN)/python benchmarks/validity.py --write

benchmarks: $(DEV)  ## Measure shadow models, also against other tools, and rewrite docs/benchmarks/shadows.md; an hour
	@$(BIN)/python benchmarks/shadows.py --peers --write $(if $(DATA),--data "$(DATA)")

hidden: $(DEV)  ## Measure attacks on hidden attributes and rewrite docs/benchmarks/attribute.md; some minutes
	@$(BIN)/python benchmarks/attribute.py --write

pictures: $(DEV)  ## Measure image inversion, also against another tool, and rewrite docs/benchmarks/inversion.md; some minutes
	@$(BIN)/python benchmarks/inversion.py --write $(if $(DATA),--data "$(DATA)")

texts: $(DEV)  ## Measure what language models give away, and rewrite docs/benchmarks/text.md; half an hour
	@$(BIN)/python benchmarks/text.py --write

defenses: $(DEV)  ## Measure defenses, private training and its audits, and rewrite docs/benchmarks/defenses.md; an hour
	@$(BIN)/python benchmarks/defenses.py --write

clean:  ## Remove everything that was made
	rm -rf $(VENV) demo dist build docs/_build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find src tests examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "expected Python 3.11 or newer, got '$(PYTHON)': call make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@"$(PYTHON)" -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "could not make $(VENV): on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 2; }

# A stamp is older than what it depends on exactly when an installation is due.
$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing keepmum (core) into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing keepmum and everything for its development into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet torch
	@$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $(CORE) $@
