# The two commands are `make demo` and `make test`; everything they need is set up by them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# Some machines tell Python to keep no compiled files: each of Airflow's processes would then compile it all anew.
unexport PYTHONDONTWRITEBYTECODE
# Airflow writes airflow.cfg and looks for DAGs under its home on import: keep that inside the checkout.
export AIRFLOW_HOME ?= $(CURDIR)/.trueup/airflow
export AIRFLOW__CORE__LOAD_EXAMPLES = False
export AIRFLOW__CORE__UNIT_TEST_MODE = False
export DBT_SEND_ANONYMOUS_USAGE_STATS = false
export DO_NOT_TRACK = 1
export GX_ANALYTICS_ENABLED = false

.PHONY: help setup demo test lint lint-python lint-sql unit durations docs test-nightly test-peers bench lock clean

help: ## Show the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: requirements.lock pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Trueup needs Python 3.11 or newer as python3"; exit 1; }
	@command -v uv >/dev/null || test -x .trueup/uv/bin/uv || { python3 -m venv .trueup/uv && .trueup/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.uv.lock; }
	@uv=$$(command -v uv || echo .trueup/uv/bin/uv); \
	test -x $(BIN)/python || $$uv venv --quiet --python "$$(command -v python3)" $(VENV); \
	VIRTUAL_ENV=$(VENV) $$uv pip sync --quiet --require-hashes requirements.lock && \
	VIRTUAL_ENV=$(VENV) $$uv pip install --quiet --no-deps --editable . && touch $@

setup: $(VENV)/.installed ## Create the environment from requirements.lock

demo: setup ## Run the whole loop in a real Airflow over the sandbox
	@$(BIN)/trueup demo

lint: setup ## Lint, types, import rules, SQL
	@$(MAKE) --no-print-directory -j2 lint-sql lint-python

lint-python: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

lint-sql: setup
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project

test: lint ## Every check and every test
	$(BIN)/pytest -m "not peers and not nightly" -n 4

unit: setup ## The tests that need no server: about a minute
	$(BIN)/pytest -q -m "not server and not nightly" -n 2 tests/unit tests/architecture

test-nightly: setup ## The long runs, and the mutation run
	$(BIN)/pytest -m "nightly and not peers" -n 2
	TRUEUP_TEST_SCALE=4 $(BIN)/pytest -m "scaled and not peers" -n 2
	$(BIN)/python -m tests.mutation.run

test-peers: setup ## The loop against a real Tryton and a real Vendure
	$(BIN)/pytest -m peers tests/peers

durations: setup ## Measure how long each file of tests takes; tests/durations.json puts the longest first
	$(BIN)/pytest -m "not peers and not nightly" -n 4 --junit-xml .trueup/tests.xml
	$(BIN)/python -m tests.durations .trueup/tests.xml

docs: setup ## Draw the architecture picture from the code
	$(BIN)/python -m tests.architecture.picture

bench: setup ## Measure what README and docs claim
	$(BIN)/trueup bench

lock: ## Pin every dependency again
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --all-extras --group dev pyproject.toml -o requirements.lock
	echo "uv" | uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 - -o requirements.uv.lock

clean: ## Remove the environment and everything the demo left
	rm -rf $(VENV) .trueup
