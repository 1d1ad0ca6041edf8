# `make demo` and `make test` do everything on a fresh machine, set-up included.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tests that stand together share fixtures and compiled programs: each worker begins with a half of them.
PYTEST_FLAGS ?= -n 2 --dist worksteal
BENCHMARKS ?= $(filter-out bench/speed.py bench/population.py,$(sort $(wildcard bench/*.py)))
BENCH_VENV ?= .venv-bench
BENCH_READY := $(BENCH_VENV)/.ready
SPEED_FLAGS ?=
POPULATION_FLAGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-slow lint format types bench bench-speed bench-population clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## Create the environment in .venv (done by the other targets too)

# Instant when nothing changed; done again when the requirements do.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "chainrule needs Python 3.11 or newer. Name one: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) (once, a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup  ## Train on handwritten digits and show what was learnt
	@$(BIN)/chainrule demo

test: lint types  ## Lint, check types, run the tests
	$(BIN)/pytest $(PYTEST_FLAGS)

test-slow: setup  ## Run the tests that take minutes (published figures, many seeds)
	XLA_FLAGS= $(BIN)/pytest $(PYTEST_FLAGS) -m slow

lint: setup  ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup  ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: setup  ## Check types
	$(BIN)/mypy

bench: setup  ## Run the benchmarks (or some: make bench BENCHMARKS=bench/startup.py)
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script; done

# PyTorch, Keras and Flax get an environment of their own.
$(BENCH_READY): pyproject.toml constraints.txt bench/requirements.txt
	@echo "Setting up $(BENCH_VENV) (once, several minutes)"
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --requirement bench/requirements.txt --editable .
	@touch $@

bench-speed: $(BENCH_READY)  ## Time training beside PyTorch, Keras, Flax and others (SPEED_FLAGS="--quick")
	@$(BENCH_VENV)/bin/python bench/speed.py $(SPEED_FLAGS)

bench-population: $(BENCH_READY)  ## Time populations and searches beside Optuna with PyTorch, and scikit-learn
	@$(BENCH_VENV)/bin/python bench/population.py $(POPULATION_FLAGS)

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) $(BENCH_VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
