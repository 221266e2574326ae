# Everything starts here. The only things needed are make, git and Python 3.11 or newer.

PYTHON ?= python3
PORT ?= 8000
DATA_DIR ?= .local
CMD ?=
ARGS ?=
ONLY ?=
SIZE ?= 1M
export PORT DATA_DIR CMD ARGS ONLY SIZE

VENV := .venv/bin/python
BOOTSTRAP := $(PYTHON) scrm/local/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run test test-long check manage bench clean

help: ## List the targets
	@echo 'make TARGET [VARIABLE=value …]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14
	@echo '  Variables: PORT (8000), DATA_DIR (.local), PYTHON (python3); DATABASE_URL and REDIS_URL'
	@echo '  replace the embedded PostgreSQL and Valkey.'

run: ## Run SCRM with the demo brand: address and login are printed; Ctrl-C stops it
	@$(BOOTSTRAP) local dev
	@exec $(VENV) -m scrm.local run

test: ## Check and test everything (ARGS="…" goes to pytest)
	@$(BOOTSTRAP) local dev
	@$(VENV) -m scrm.local check
	@exec $(VENV) -m scrm.local test

test-long: export SCRM_LONG = 1
test-long: ## The same with the proofs at their night size
	@$(BOOTSTRAP) local dev
	@$(VENV) -m scrm.local check
	@exec $(VENV) -m scrm.local test

check: ## Linters, types, import contracts, migrations, templates
	@$(BOOTSTRAP) local dev
	@exec $(VENV) -m scrm.local check

manage: ## Run a management command beside the same services: CMD="create_api_key --name N --scopes all"
	@$(BOOTSTRAP) local dev
	@exec $(VENV) -m scrm.local manage

bench: ## Measure: ONLY=rfm,intake,list SIZE=1M
	@$(BOOTSTRAP) local dev bench
	@exec $(VENV) -m scrm.local bench

clean: ## Delete the local data, the environment and everything built
	@if [ -x $(VENV) ]; then $(VENV) -m scrm.local clean; fi
	@rm -rf .venv frontend/node_modules frontend/dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@find locale -name '*.mo' -delete 2>/dev/null || true
