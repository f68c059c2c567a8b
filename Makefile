# every target sets up what it needs in .venv
PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# sys.monitoring, which Python has from 3.12 on, counts lines for nothing; what Python had before costs half as much again
COVER = $(shell $(BIN)/python -c "import sys; print('--cov' if sys.version_info >= (3, 12) else '--no-cov')")
# threads that spin while they wait would take the other worker's core
PYTEST = OMP_WAIT_POLICY=passive COVERAGE_CORE=sysmon $(BIN)/python -m pytest --quiet -n $(JOBS)

.DEFAULT_GOAL := help
.PHONY: help demo test quick check parity benchmark tables docs clean

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[cpu,parity,data,dev]'
	# programs of others, which the tests run under the shim; what they need is here already
	$(BIN)/pip install --quiet --no-deps auraloss openunmix resemblyzer webrtcvad-wheels
	touch $(READY)

demo: $(READY) ## run an ordinary torch program plainly and under the shim, and compare
	$(BIN)/python -m benchmarks.demo

test: $(READY) ## pass all tests, and say how much of the code they reach (Python 3.12 or later)
	$(PYTEST) $(COVER)

quick: $(READY) ## pass most tests in less than a minute: all but the slow ones and those of the command
	$(PYTEST) -m "not slow" --ignore parity_tests/runner

check: $(READY) docs ## formatting, lint, types, the documentation, and what the packages hold
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python .ci/check_packages.py
	# it only says so: a machine may have no GPU
	$(BIN)/python -m benchmarks.texts

parity: $(READY) ## measure every function against its reference and float64: out/parity.html
	$(BIN)/python -m parity_tests --html out/parity.html

benchmark: $(READY) ## time every function beside its reference, under both wait policies: out/*.json
	mkdir -p out
	OMP_WAIT_POLICY=passive $(BIN)/python -m benchmarks --json out/cpu.json
	$(BIN)/python -m benchmarks --json out/cpu-default.json

tables: $(READY) ## write the tables of README and docs from the parity table and the committed results
	$(BIN)/python -m benchmarks.tables

docs: $(READY) ## make a site of the pages and of the gallery's programs: out/site
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs out/site

clean: ## remove what was made
	rm -rf $(VENV) out dist build
