# Everything runs from .venv, which is made when it is missing. Nothing is installed twice: a stamp in .venv is
# newer than pyproject.toml once the packages are there, and from then on no network is needed.

SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

BIN := .venv/bin
VENV := .venv/pyvenv.cfg
PYTHONS ?= python3 python3.13 python3.12 python3.11 python3.14 python
ALL := .venv/.installed-all
DEV := .venv/.installed-dev
BENCH := .venv/.installed-bench
install = $(BIN)/python -m pip install -qq --disable-pip-version-check --editable

.PHONY: FORCE help demo test check lint format types layers fix bench docs

help: ## Show what there is to make
	@sed -nE 's/^([a-z%-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | sed 's/%/NAME/' | expand -t 14

demo: $(ALL) ## Start the demo and print the address of its page
	@$(BIN)/scanner-kit up

test: $(DEV) ## Run the tests (ARGS="-k gap -n 2" goes to pytest)
	@$(BIN)/python -m pytest $(ARGS)

check: lint format types layers ## Look for faults without running anything: ruff, mypy, import-linter

lint: $(DEV)
	@$(BIN)/ruff check --quiet && echo "ruff check: clean"

format: $(DEV)
	@$(BIN)/ruff format --check --quiet && echo "ruff format: clean"

types: $(DEV)
	@$(BIN)/python -m mypy

layers: $(DEV)
	@$(BIN)/lint-imports --no-logo

fix: $(DEV) ## Mend what ruff can mend, and format
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(BENCH) ## Run every benchmark: the figures of the README
	@set -e; for script in benchmarks/bench_*.py; do $(BIN)/python "$$script" $(ARGS); done

prove-%: benchmarks/prove_%.py $(BENCH) ## Run benchmarks/prove_NAME.py: one claim, shown
	@$(BIN)/python $< $(ARGS)

docs: $(DEV) ## Write the reference from the docstrings to build/docs
	@$(BIN)/python -m pdoc --docformat numpy --output-directory build/docs scanner_kit
	@echo "build/docs/index.html"

# Made again when its interpreter is gone, say after an upgrade of the system.
$(VENV): $(shell test -x $(BIN)/python || echo FORCE)
	@for python in $(PYTHONS); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    found=$$python; \
	    "$$python" -c 'import ensurepip, venv' 2>/dev/null || continue; \
	    echo "Making .venv with $$("$$python" --version)"; \
	    "$$python" -m venv --clear .venv && exit 0; \
	    rm -rf .venv; exit 1; \
	done; \
	if [ -n "$$found" ]; then \
	    echo "$$found cannot make a virtual environment: its venv module lacks ensurepip." \
	         "On Debian or Ubuntu: sudo apt install python3-venv" >&2; \
	else \
	    echo "scanner-kit needs Python 3.11 or later; none was found among: $(PYTHONS)." \
	         "Install one, or name it: make PYTHONS=/path/to/python3" >&2; \
	fi; \
	exit 1

$(ALL): pyproject.toml $(VENV)
	@echo "Installing scanner-kit into .venv: once, some minutes"
	@$(install) '.[all]'
	@touch $@

$(DEV): pyproject.toml $(VENV)
	@echo "Installing scanner-kit and what its tests need into .venv: once, some minutes"
	@$(install) '.[all,dev]'
	@touch $(ALL) $@

$(BENCH): pyproject.toml $(VENV)
	@echo "Installing scanner-kit and what its benchmarks need into .venv: once, some minutes"
	@$(install) '.[all,bench]'
	@touch $(ALL) $@
