# `make demo` and `make test` set up everything they need in .venv
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check parity benchmark readme clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[cpu,parity,dev]'
	# programs of others, which the tests run under the shim; what they need is here already
	$(BIN)/pip install --quiet --no-deps auraloss openunmix resemblyzer webrtcvad-wheels
	touch $(READY)

demo: $(READY)
	$(BIN)/python -m benchmarks.demo

test: $(READY)
	$(BIN)/python -m pytest --quiet

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python .ci/check_packages.py

parity: $(READY)
	$(BIN)/python -m parity_tests --html out/parity.html

benchmark: $(READY)
	mkdir -p out
	OMP_WAIT_POLICY=passive $(BIN)/python -m benchmarks --json out/cpu.json
	$(BIN)/python -m benchmarks --json out/cpu-default.json

readme: $(READY)
	$(BIN)/python -m benchmarks.readme

clean:
	rm -rf $(VENV) out dist build
