# Every target sets up what it needs by itself: Python 3.11, its venv module and make are enough.
PY ?= python3
BIN := .venv/bin
# Where it is set, each of the programs that the tests start would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.venv/.%: pyproject.toml
	@test -x $(BIN)/python || $(PY) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable ".[$*]"
	@touch $@ $(patsubst %,.venv/.%,$(WITHIN_$*))

# What is installed along with an extra, so that `make lint test` installs once.
WITHIN_lint := test test,spark
WITHIN_test,spark := test

demo: .venv/.cli,emulator,web  ## A host finds the plugin and runs the four actions against the embedded emulator
	@$(BIN)/vantage-quickbooks demo

ifdef TESTS
test: .venv/.test,spark .venv/.system
	@$(BIN)/python -m pytest -k "$(TESTS)" -x
else
test: .venv/.test,spark system-packages  ## Run all tests (make test TESTS=name runs those that match, on one Python)
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
	@$(BIN)/python .ci/pythons.py
endif

system-packages: | .venv/.test,spark  ## Install what the tests need of Debian, where it is missing and we may
	@bash .ci/system-packages
	@touch .venv/.system

.venv/.system: | .venv/.test,spark
	@$(MAKE) -s system-packages

lint: .venv/.lint  ## Format check, lint, strict types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/.lint  ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: .venv/.test  ## Generate schemas, forms and documentation tables from the rows of the catalog
	@$(BIN)/python -m vantage_quickbooks.catalog.generate .
	@$(BIN)/python -c 'from pathlib import Path; from vantage_quickbooks.conformance.schemas import write; write(Path("schemas"))'

cassettes: .venv/.test  ## Record the cassettes again, from the emulator
	@rm -rf cassettes/*/
	@$(BIN)/python -m pytest tests/wire --record-mode=rewrite

pictures: .venv/.test system-packages  ## Take the pictures of the documentation again, in the demo company
	@PICTURES=1 $(BIN)/python -m pytest -q tests/web/test_pictures.py

bench: .venv/.emulator  ## Read whole companies beside other clients; writes benchmarks/RESULTS.md (BENCH=--quick tries it)
	@$(BIN)/python benchmarks/bench.py $(BENCH)

bench-full: .venv/.emulator  ## The same, and a stream of a million invoices
	@$(BIN)/python benchmarks/bench.py --full $(BENCH)

bench-scale: .venv/.test system-packages  ## Read thousands of companies with processes, Spark and Dask; writes docs/scale.md
	@$(BIN)/python benchmarks/scale.py $(BENCH)

clean:  ## Remove what the targets made
	@rm -rf .venv .venv-3.* dist build benchmarks/.venvs benchmarks/.cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help demo test system-packages lint format schemas cassettes pictures bench bench-full bench-scale clean
