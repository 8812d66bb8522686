# Two commands do all: `make run` and `make test`. Everything lives in .venv and data.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
MARKET ?= sim

.PHONY: run test check golden schemas docs lock bench soak fuzz wheel

run: $(VENV)/installed
	@$(BIN)/liq --market $(MARKET) run $(ARGS)

test: $(VENV)/installed
	$(BIN)/pytest -n 4 --dist loadscope $(ARGS)

check: $(VENV)/installed
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

golden: $(VENV)/installed
	$(BIN)/python -m tests.golden

schemas: $(VENV)/installed
	$(BIN)/python -m schemas.release

docs: $(VENV)/installed
	$(BIN)/python -m schemas.describe

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/installed
	$(BIN)/python -m tests.chaos.soak $(if $(KILLS),--kills $(KILLS)) $(ARGS)

fuzz: $(VENV)/installed
	$(BIN)/python -m tests.fuzz.run $(if $(FRAMES),--frames $(FRAMES)) $(ARGS)

lock: $(VENV)/installed
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --all-extras --group dev --no-header -q pyproject.toml -o requirements.lock

wheel: $(VENV)/installed
	sh tests/wheel.sh $(BIN)/python

$(VENV)/installed: requirements.lock
	@sh deploy/install.sh $(VENV) $(PYTHON)
