# Everything runs in .venv, which the first target that needs it makes. A second run finds the stamps and starts at once.
# pip is called plainly: mirrors, proxies and indexes are whatever your own pip configuration says.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Two processes, a file of tests in one of them, take little more than half the time of one; each computes in one thread.
WORKERS := -n 2 --dist loadfile
TORCH  := $(shell grep '^torch==' constraints.txt)
# Checks the types of the explorer's page; fetched by npm where that is, since PyPI has no copy of its makers.
TYPESCRIPT := 7.0.2
TSC    := $(VENV)/typescript-$(TYPESCRIPT)/node_modules/.bin/tsc

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format bench zoo map clean
.DELETE_ON_ERROR:

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.base  ## a real photo's way through the default encoder, as demo/report.html
	$(BIN)/photosite see --sample chelsea --out demo
	@echo "$(CURDIR)/demo/report.html"

test: $(VENV)/.dev $(VENV)/.browser  ## the tests, without the full sweeps
	$(BIN)/python -m pytest -q -m "not slow" $(WORKERS)

test-all: $(VENV)/.dev $(VENV)/.browser  ## the tests, full sweeps included
	$(BIN)/python -m pytest -q $(WORKERS)

lint: $(VENV)/.dev  ## ruff, mypy --strict, and tsc where npm is there to fetch it
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src
	@test -x $(TSC) || ! command -v npm >/dev/null || npm install --prefix $(VENV)/typescript-$(TYPESCRIPT) --no-save --no-audit \
	  --no-fund --fetch-retries=1 --loglevel=error typescript@$(TYPESCRIPT) >/dev/null || true
	@if $(TSC) --version >/dev/null 2>&1; then echo $(TSC) --project tests/explorer/page/tsconfig.json; \
	    $(TSC) --project tests/explorer/page/tsconfig.json; \
	  else echo "the explorer's page is not type checked: no npm with Node 20 fetched typescript@$(TYPESCRIPT)"; fi

format: $(VENV)/.dev  ## let ruff put the code in its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## every benchmark: our time over a peer's, measured in the same run
	@test -n "$(wildcard benchmarks/bench_*.py)" || { echo "no benchmarks/bench_*.py yet"; exit 1; }
	@for file in $(sort $(wildcard benchmarks/bench_*.py)); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

zoo: $(VENV)/.dev  ## write docs/zoo.md anew: 88 networks in NumPy and PyTorch, a quarter of an hour
	$(BIN)/python benchmarks/write_zoo.py

map: $(VENV)/.dev  ## write the map of the source and the page of commands anew
	$(BIN)/python -m tests.source_tree > $(VENV)/map.md && mv $(VENV)/map.md src/photosite/README.md
	$(BIN)/python -c "from photosite.cli import app; print(app.generate_docs(output_format='markdown'))" > docs/commands.md

clean:  ## remove all that make made, .venv too
	rm -rf $(VENV) demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "photosite wants Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	       "name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); echo "$(PYTHON) -m venv failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# torch alone and first, at the pinned version: an index that offers a CPU build of it is then taken at its word, and nothing
# that comes later can pull in the newest build with its gigabytes of CUDA. hatchling is there beforehand so that
# no second, unpinned copy is fetched to build us.
$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) $(TORCH)
	$(PIP) hatchling editables
	$(PIP) --no-build-isolation --editable '.[samples]'
	@touch $@

# torchvision, timm, open_clip, captum and grad-cam are peers that tests compare with. They want a torch of their own
# choosing, or matplotlib, so they come without their dependencies; ttach is one of grad-cam's.
$(VENV)/.dev: $(VENV)/.base
	$(PIP) --no-build-isolation --editable '.[dev]'
	$(PIP) --no-deps torchvision timm open_clip_torch captum grad-cam ttach
	@touch $@

# Tests of the explorer's page take the browser of the system; where there is none, Playwright's own is fetched, once.
$(VENV)/.browser: $(VENV)/.dev
	@command -v chromium || command -v chromium-browser || command -v google-chrome \
	  || $(BIN)/python -m playwright install --only-shell chromium \
	  || echo "no browser: tests of the page are skipped; install Chromium, or run $(BIN)/playwright install chromium"
	@touch $@
