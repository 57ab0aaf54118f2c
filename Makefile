# Commands for a fresh checkout; each one first makes sure that it can run (tools/setup.sh).

PYTHON := .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint style format types bench soak clean
unexport VIRTUAL_ENV

help:  ## this list
	@grep -hE '^[a-z]+: .*## |^[a-z]+:  ## ' Makefile | sed 's/:.*## /\t/' | expand -t 10
	@echo 'ARGS="…" is handed on, as in: make test ARGS="-k plan"'

setup:  ## uv, GL libraries and the locked Python environment, where missing
	@tools/setup.sh

demo: setup  ## the performer with a changed face: demo/demo.mp4 and demo/demo.png
	@$(PYTHON) -m kfx demo --out demo $(ARGS)

test: setup  ## every test; what a machine can't run is listed with the reason
	$(PYTHON) -m pytest $(ARGS)

lint: style format types  ## style, format and types; make -k lint goes on after a fault

style: setup
	$(PYTHON) -m ruff check .

format: setup
	$(PYTHON) -m ruff format --check .

types: setup
	$(PYTHON) -m mypy

bench: setup  ## costs beside bare baselines of the same run
	$(PYTHON) -m tests.bench $(ARGS)

soak: setup  ## a live show under random faults; make soak ARGS="--minutes 10"
	$(PYTHON) -m tests.soak $(ARGS)

clean:  ## outputs and caches; the environment stays (rm -rf .venv .tools)
	rm -rf demo out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find kfx tests examples models -name __pycache__ -type d -prune -exec rm -rf {} +
