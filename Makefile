# make demo     install into .venv, run the demo experiment, say where the report is
# make test     install what the tests need and run them, but for the slow ones
# make test-slow  the slow ones
# make lint     ruff and pyright
# make bench    the benchmarks, as JSON lines
# make lock     the versions and hashes that CI installs, made anew
# make clean    everything that the above made, .venv included
#
# PYTHON=python3.12 make demo chooses the interpreter (3.11 to 3.13).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The first of these that is Python 3.11, 3.12 or 3.13.
CANDIDATES := python3 python3.13 python3.12 python3.11
SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	if "$$p" -c '$(SUITS)' 2>/dev/null; then echo "$$p"; exit; fi; done)

.PHONY: help demo test test-slow lint bench lock clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11, 3.12 or 3.13 found; say PYTHON=/path/to/python make ..." >&2; \
		exit 1; fi
	@"$(PYTHON)" -c '$(SUITS)' || { \
		echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

# A stamp per set of packages, older than pyproject.toml when it has to be made again.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

# CI and everyone on Linux with Python 3.11 test exactly the versions of the lock file;
# other Pythons resolve to other versions and take the newest that pyproject.toml allows.
LOCKED = $(shell $(BIN)/python -c 'import platform, sys; print(int( \
	sys.version_info[:2] == (3, 11) and platform.system() == "Linux" \
	and platform.machine() == "x86_64"))' 2>/dev/null)

$(VENV)/.installed-test: pyproject.toml requirements-ci.txt | $(BIN)/python
	if [ "$(LOCKED)" = 1 ]; then \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--require-hashes -r requirements-ci.txt; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'; \
	fi
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/shakeout run demo --out runs/demo --overwrite

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -n 2 -m slow

lint: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	$(BIN)/python -m benchmarks

lock: $(BIN)/python
	$(BIN)/python tools/lock.py > requirements-ci.txt.new
	mv requirements-ci.txt.new requirements-ci.txt

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .hypothesis .ruff_cache \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
