# Milepost needs `python3` (3.11 or newer) and `make`; everything else comes from requirements.lock.
#
#   make demo    set up once, then a running office with people, projects and money in it
#   make test    set up once, then lint and every test
#   make check   lint only          make bench   what is measured, against what
#   make clean   remove what was made here (the data in .milepost stays)
#   make lock    choose the newest allowed dependencies and pin them (needs uv)

SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.milepost-installed
BENCH_STAMP := $(VENV)/.milepost-bench-installed
PACKAGES := config schema states flows milepost

# One test process more than there are cores, four at the most: half the time a test waits for a database, a
# browser or a server.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, 1 + max(2, os.cpu_count() or 2)))' 2>/dev/null || echo 2)
PYTEST_ARGS ?=

# Without compiled bytecode every start of Prefect takes twice as long; pip must find its own packages.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME PIP_NO_COMPILE PIP_TARGET PIP_PREFIX PIP_USER

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
LOCK := pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --no-annotate --quiet --upgrade

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean lock setup python

help:
	@sed -n 's/^# \{0,3\}//p' Makefile | sed -n '1,7p'

python:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "Milepost needs Python 3.11 or newer, and there is no $(PYTHON). Install it (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=/path/to/python3 ..."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Milepost needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>&1). Name a newer one: make PYTHON=/path/to/python3 ..."; exit 1; }

# The stamp is written last: an interrupted set-up is done again, a finished one is not.
setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml | python
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This Python cannot make a virtual environment. Install that part of it (Debian: apt-get install python3-venv)."; exit 1; }
	@echo "Setting up in $(VENV): about a minute, once."
	@test -x $(BIN)/python || "$(PYTHON)" -m venv --clear $(VENV)
	@$(PIP) install --compile --require-hashes --requirement requirements.lock
	@$(PIP) install --compile --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@touch $@

$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	@$(PIP) install --compile --require-hashes --requirement requirements-bench.lock
	@touch $@

demo: setup
	@$(BIN)/milepost demo

check: setup
	@rc=0; \
	echo "ruff";         $(BIN)/ruff check . || rc=1; \
	                     $(BIN)/ruff format --check --quiet . || { echo "Not formatted: run $(BIN)/ruff format ."; rc=1; }; \
	echo "mypy";         $(BIN)/mypy || rc=1; \
	echo "lint-imports"; said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said"; rc=1; }; \
	exit $$rc

# Lint first and the tests whatever it says, so that the tests' own closing line is the last word. A module's
# tests stay on one worker, so that what they share is set up once; marks of groups do not reach the workers
# under pytest 9.2 (its node ids are no longer read from what pytest-xdist 3.8 writes them to).
test: setup
	@rc=0; $(MAKE) --no-print-directory check || { rc=1; echo "The lint above failed; the tests run all the same."; }; \
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS) || rc=$$?; exit $$rc

bench: $(BENCH_STAMP)
	@$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(PACKAGES) tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

lock:
	@uv=$$(command -v uv || echo $(BIN)/uv); test -x "$$uv" || { \
	  echo "Pinning needs uv, which is not installed: pip install uv"; exit 1; }; \
	"$$uv" $(LOCK) pyproject.toml --group dev --group build --output-file requirements.lock >/dev/null && \
	"$$uv" $(LOCK) --group bench --constraint requirements.lock --output-file requirements-bench.lock >/dev/null
