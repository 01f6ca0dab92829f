# Each target makes its own virtual environment on first use. QMPI_VENV puts it elsewhere.
QMPI_VENV ?= .venv
PYTHON ?= python3
BIN := $(QMPI_VENV)/bin
READY := $(QMPI_VENV)/.qmpi-ready
export OMP_NUM_THREADS ?= 1
# Most tests run on all cores. Those that start jobs, networks or a scheduler need the cores and
# watch the clock: one at a time, afterwards.
ALONE := tests/mpi tests/hosts tests/slurm
SLOWEST := --durations=40 --durations-min=3
BESIDE := -n auto --maxprocesses 8 --dist worksteal $(ALONE:%=--ignore=%)

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all slurm-test check generated bench clean

help: ## show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(QMPI_VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[mpi,dev]'
	touch $(READY)

venv: $(READY) ## make the virtual environment

demo: $(READY) ## pretrain on this machine, kill a trainer, prove the result equal
	$(BIN)/qmpi demo

test: $(READY) ## quick test suite
	$(BIN)/python -m pytest $(SLOWEST) $(BESIDE)
	$(BIN)/python -m pytest $(SLOWEST) $(ALONE)

test-all: $(READY) ## every test, the slow ones too
	$(BIN)/python -m pytest -m "" $(BESIDE)
	$(BIN)/python -m pytest -m "" $(ALONE)

slurm-test: $(READY) ## a Slurm of its own on this machine, and real runs under it
	$(BIN)/python tests/slurm/missing.py
	$(BIN)/python -m pytest -m "" -v tests/slurm $(SLURM_ONLY)

check: $(READY) ## linter, formatter, type checker, import contracts
	$(BIN)/ruff check qmpi tests docs
	$(BIN)/ruff format --check qmpi tests docs
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports setup.cfg

generated: $(READY) ## refreeze lists, write job files, redraw pictures, plan anew
	$(BIN)/python docs/make_jobs.py
	$(BIN)/python docs/make_batch.py
	$(BIN)/python tests/architecture/freeze.py
	$(BIN)/python docs/draw.py
	$(BIN)/python docs/make_plan.py
	$(BIN)/python docs/make_errors.py

bench: $(READY) ## benchmarks, an hour or two; print tables and ratios
	for bench in tests/benchmarks/bench_*.py; do $(BIN)/python $$bench || exit 1; done

clean: ## remove the environment, caches and runs
	rm -rf .venv .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info runs
	find qmpi tests docs -name __pycache__ -type d -prune -exec rm -rf {} +
