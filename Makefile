# The two commands are `make demo` and `make test`; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
PEOPLE ?= 1500
SEED ?= 1
WORKERS ?= 3
STAMP := $(VENV)/.installed

.PHONY: help install demo test lint types boundaries contracts compiled unit integration e2e bench bench-matching faults up down lock clean

help: ## What there is
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMP) ## Everything into the checkout (.venv, .cache)

$(STAMP): requirements/dev.txt pyproject.toml deploy/local/install.sh
	VENV=$(VENV) bash deploy/local/install.sh
	@touch $@

demo: $(STAMP) ## The main job on the embedded stack: PEOPLE=1500 SEED=1, or HR=extract.csv MAP=mapping.toml
	$(BIN)/mentoring demo --people $(PEOPLE) --seed $(SEED) $(if $(HR),--hr $(HR)) $(if $(MAP),--map $(MAP)) $(ARGS)

test: $(STAMP) ## Every check and every test, three files at a time (they wait a lot); WORKERS=0: one
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target types compiled lint boundaries contracts
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(STAMP) ## Style and likely mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

boundaries: $(STAMP) ## Who may import whom
	$(BIN)/lint-imports

contracts: $(STAMP) ## Published schemas and documents are what the code says
	$(BIN)/python -m shared.contracts.publish --check

compiled: $(STAMP) ## The whole matching engine in machine code, which is kept
	$(BIN)/python -m services.matching.engine.warm

unit: $(STAMP) ## Only the tests that need no server
	$(BIN)/pytest tests/unit tests/contract $(ARGS)

integration: $(STAMP) ## Only the tests on real servers
	$(BIN)/pytest tests/integration $(ARGS)

e2e: $(STAMP) ## Only the main job with all services
	$(BIN)/pytest tests/e2e $(ARGS)

bench: $(STAMP) ## How fast it is, into docs/bench.md; ARGS="--quick" or names of figures for a part
	$(BIN)/python -m tests.bench $(ARGS)

bench-matching: $(STAMP) .cache/bench-matching/installed ## The engine beside other solvers, into docs/bench-matching.md; ARGS="--quick" or "--minutes 1"
	$(BIN)/python -m tests.bench.matching --peers .cache/bench-matching/bin/python $(ARGS)

.cache/bench-matching/installed: requirements/bench.txt
	python3 -m venv .cache/bench-matching
	.cache/bench-matching/bin/pip install --quiet --requirement requirements/bench.txt
	@touch $@

faults: $(STAMP) ## The main job under every fault, two at a time, half an hour; ARGS="-k leader" chooses, all of them write docs/faults.md
	MENTORING_FAULTS=1 MENTORING_FAULTS_WRITE=$(if $(ARGS),0,1) $(BIN)/pytest tests/faults --numprocesses 2 --dist load $(ARGS)

up: $(STAMP) ## Start the embedded stack and leave it running
	$(BIN)/mentoring up

down: $(STAMP) ## Stop it
	$(BIN)/mentoring down

lock: ## Pin all dependencies anew, with hashes (needs uv)
	for extra in dev profiles matching feedback notifications cli; do \
	  uv pip compile pyproject.toml --extra $$extra --generate-hashes --no-header --no-emit-index-url \
	    --python-version 3.11 --quiet -o requirements/$$extra.txt; done

clean: ## Remove what was installed and made
	rm -rf $(VENV) .cache .local .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
