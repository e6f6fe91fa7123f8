# Everything here sets itself up in .venv on a machine that has only Python >= 3.11 and make.

PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint types format bench results check-corpus explore simulate bugs soak clean

help:            ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/installed: requirements.txt pyproject.toml
ifeq ($(PYTHON),)
	$(error Python 3.11 or newer was not found on the PATH)
endif
	@echo "setting up .venv with $(PYTHON) (once)"
	@$(PYTHON) -m venv .venv || { echo "python -m venv failed; on Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/installed            ## five replica processes, real load, a live view, and a verdict
	@$(BIN)/genpaxos demo bank

test: .venv/installed lint types ## everything that must hold: ruff, strict mypy, pytest
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup

lint: .venv/installed            ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/installed           ## mypy, strict
	@$(BIN)/mypy

format: .venv/installed          ## let ruff format and fix what it can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: .venv/installed           ## throughput, latency, interference and recovery on this machine
	@for what in throughput latency interference recovery; do $(BIN)/python -m bench $$what || exit 1; done

RESULTS ?= build/results

results: .venv/installed         ## measure all of docs/benchmarks.md and write it (20 minutes, resumed where it stopped)
	@$(BIN)/python -m bench programme $(RESULTS) $(ARGS); measured=$$?; \
	$(BIN)/python -m bench results $(RESULTS) --keep bench/results && exit $$measured

check-corpus: .venv/installed    ## tests of commutativity/ with every part, more examples and more processes
	@WHOLE_CORPUS=1 $(BIN)/python -m pytest tests/commutativity

explore: .venv/installed         ## model-check larger scopes of the core, for an hour
	@$(BIN)/python -m tests.explore.full_scope --minutes 60

MINUTES ?= 60
SEED ?= 1

soak: .venv/installed            ## real replicas under faults for an hour; or make soak MINUTES=2 SEED=7
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) --seed $(SEED) $(ARGS)

simulate: .venv/installed        ## 2,000 seeds of a world where everything fails
	@$(BIN)/genpaxos simulate --seeds 2000

bugs: .venv/installed            ## put 20 bug patterns back, count the seeds that find each: docs/bugs.md
	@$(BIN)/python -m tests.simulation.bug_table

clean:           ## remove what make made
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
