# `make` lists the targets. Everything runs in .venv, which `make env` makes; nothing has to be installed by hand.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
DATA ?=
ARGS ?=

help: ## Show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

env: ## Make .venv with every pinned package
	@scripts/env

demo: env ## Gold in, better pre-annotation out: the whole loop in 3 to 6 minutes (DATA=folder for your own pictures)
	@$(BIN)/tagloom demo $(if $(DATA),--data "$(DATA)") $(ARGS)

up: env label-studio ## Label Studio with the sample project, backend and worker; Ctrl-C stops all of it
	@$(BIN)/tagloom up $(ARGS)

down: env ## Stop what an interrupted `make up` left running
	@$(BIN)/tagloom down

test: env ## The quick tests, two processes at a time (about 5 minutes on 2 cores)
	@scripts/fonts
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow and not gpu and not e2e" $(ARGS)

test-slow: env ## The tests that take longer: real workers killed, refused demos
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "slow and not gpu and not e2e" --timeout 600 $(ARGS)

fuzz: env ## 50,000 odd requests at the backend (TAGLOOMTEST_FUZZ_CASES sets how many)
	OMP_NUM_THREADS=1 TAGLOOMTEST_FUZZ_CASES=$${TAGLOOMTEST_FUZZ_CASES:-50000} $(BIN)/python -m pytest tests/backend/test_fuzz.py -s --timeout 7200 $(ARGS)

faults: env ## Processes killed, disk filled, files spoilt; then everything compared (short form, under 10 minutes)
	@$(BIN)/python -m bench.faults $(ARGS)

faults-long: env ## The same with 300 kills and 1,000 annotations (under 35 minutes)
	@$(BIN)/python -m bench.faults --long $(ARGS)

bench: env ## How fast it is on this machine: the short form of every question of bench/speed (under 10 minutes)
	@$(BIN)/python -m bench.speed

e2e: env label-studio ## Tagloom against a real Label Studio in a real browser
	@scripts/browser
	$(BIN)/python -m pytest -m e2e --timeout 900 tests/e2e $(ARGS)

lint: env ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env ## Types, strict
	$(BIN)/mypy

docs: env ## The pages of docs/ as a site in .site (open .site/index.html); any broken link ends it
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

label-studio: ## Make Label Studio's own environment
	@scripts/label-studio

samples: env ## Draw the committed samples again
	@scripts/fonts
	$(BIN)/python -m tools.samples.draw --seed 20261121 --count 640 --quality 80 --out samples/data

wheel: env ## What a server needs to install Tagloom, in dist/
	@scripts/wheel dist

lock: ## Resolve requirements/lock.txt anew
	@scripts/lock

clean: ## Remove environments and the demo's output (not .tagloom, which holds your labels' journal and models)
	rm -rf .venv .venv-label-studio .demo .site

.PHONY: help env demo up down test test-slow fuzz faults faults-long bench e2e lint types docs label-studio samples wheel lock clean
