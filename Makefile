# make demo       install into .venv, run the demo experiment, say where the report is
# make quick      the twin, the rules, the structure and a tiny world: under 90 seconds
# make test       every test but the slow ones
# make test-slow  the slow ones
# make lint       ruff, import-linter and pyright
# make hooks      let git run `make lint` and `make quick` before a commit and a push
# make bench      the benchmarks, as JSON lines
# make lock       the versions and hashes that CI installs; FRESH=1 takes the newest
# make clean      remove everything that the above made, .venv included
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

.PHONY: help demo quick test test-slow lint hooks bench lock clean

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

$(VENV)/.installed-dev: pyproject.toml requirements-ci.txt | $(BIN)/python
	if [ "$(LOCKED)" = 1 ]; then \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--require-hashes -r requirements-ci.txt; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			-e '.[test,dev]'; \
	fi
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/shakeout run demo --out runs/demo --overwrite

# The cheapest tests that still cover a rule, its three forms, the structure and a world.
QUICK := tests/structure tests/test_mutants.py \
	tests/properties/test_tiny_world.py tests/market/forms/test_twin_alone.py \
	$(addprefix tests/market/rules/test_,margin.py liquidation.py funding.py \
		risk_steps.py staged.py) \
	$(addprefix tests/market/venues/test_,rule_examples.py dydx_v4.py starkex.py)

quick: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" $(QUICK)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 2 -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

hooks: $(VENV)/.installed-dev
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	$(BIN)/python -m benchmarks

lock: $(BIN)/python
	$(BIN)/python tools/lock.py $(if $(FRESH),--fresh) > requirements-ci.txt.new
	mv requirements-ci.txt.new requirements-ci.txt

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .hypothesis .ruff_cache \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
