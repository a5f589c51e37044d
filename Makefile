# Two commands matter: `make run` and `make test`. Both set up what they need, on a machine that has
# git, make and Python 3.11-3.13 and nothing else; when nothing has changed, setting up costs nothing.
# Written for GNU make 3.81 and later (macOS still ships 3.81).

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The first interpreter that fits; `make PYTHON=/path/to/python3.12 ...` names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo "$$p" && break; done)

VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/locks
ROOMS := bot channels routing providers
PYTEST_ARGS ?=
WORKERS ?= auto
MINUTES ?= 5
SECONDS ?= 60
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Hundreds of processes start in a run of the tests; without bytecode each would compile what it imports again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help base install install-all run test check format chaos soak peers bench lock clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

base: $(VENV)/.base ## set up .venv with what running needs, without test tools

install: $(VENV)/.dev ## set up .venv with everything that running, testing and checking need

install-all: $(VENV)/.all ## the same plus the extras mlx and onnx

run: $(VENV)/.base ## start the daemon (ARGS="--home DIR" and the like are handed on)
	@$(BIN)/firstword run $(ARGS)

# A file stays with one worker: what it starts once serves all of its tests. Files come in the order of the conftest,
# the longest first, and not by their number of tests.
test: $(VENV)/.dev ## run every test that this machine can run (PYTEST_ARGS="-k name", WORKERS=0 for one process)
	@$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Each step runs whatever came of the ones before. Kills and seeds go on where they stopped: tests/chaos/RESULTS.md.
chaos: $(VENV)/.dev ## throw 10,000 generated texts and events at every parser and adapter, 100,000 at the router, fuzz each parser (SECONDS=60), then kill real daemons and play lives with faults (MINUTES=5)
	@status=0; \
	FIRSTWORD_CHAOS=1 $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 -m generated $(PYTEST_ARGS) tests || status=1; \
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes --no-build -r $(LOCKS)/fuzz.txt; \
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) || status=1; \
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(ARGS) || status=1; \
	exit $$status

soak: $(VENV)/.dev ## five messages a second and a fault a minute; print what grows and what was lost (MINUTES=30)
	@$(BIN)/python -m tests.soak --minutes $(if $(filter file,$(origin MINUTES)),30,$(MINUTES)) $(ARGS)

check: $(VENV)/.dev ## lint, formatting, types, import contracts, architecture tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config tests/architecture/imports.toml
	@$(BIN)/python -m pytest -q tests/architecture

format: $(VENV)/.dev ## let ruff format the code and apply its safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

peers: $(VENV)/.dev ## install what some tests need: the extra mlx, a Chromium; a Synapse and an aimock in .peers
	@bash tests/peers.sh $(BIN) $(LOCKS)

bench: $(VENV)/.dev ## print the speed figures
	@$(BIN)/python -m tests.bench $(ARGS)

# uv is put into the environment from its own small hashed lock and installs the rest in seconds;
# where it cannot work (no wheel, a proxy that only pip knows), pip does the same, slower.
# $(1) = a lock file, $(2) = stamps to touch.
define install_lock
	@echo "installing $(1)"
	@$(BIN)/uv --version >/dev/null 2>&1 \
	  || $(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r $(LOCKS)/bootstrap.txt \
	  || echo "uv cannot be installed here; pip does the work"
	@$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes --no-build -r $(LOCKS)/$(1) \
	  || { echo "uv did not succeed; trying pip"; \
	       $(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r $(LOCKS)/$(1); }
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation --no-index -e .
	@touch $(2)
endef

$(VENV)/.base: $(LOCKS)/base.txt pyproject.toml | $(VENV)/.made
	$(call install_lock,base.txt,$(VENV)/.base)

$(VENV)/.dev: $(LOCKS)/dev.txt pyproject.toml | $(VENV)/.made
	$(call install_lock,dev.txt,$(VENV)/.base $(VENV)/.dev)

$(VENV)/.all: $(LOCKS)/all.txt pyproject.toml | $(VENV)/.made
	$(call install_lock,all.txt,$(VENV)/.base $(VENV)/.dev $(VENV)/.all)

# A half-made environment, or one whose interpreter has gone, is made again.
.PHONY: again
$(VENV)/.made: $(shell test -x $(BIN)/python || echo again)
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null </dev/null \
	  || { echo "Firstword needs Python 3.11, 3.12 or 3.13, not '$(PYTHON)'; name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

# Every lock of .venv is cut out of the largest one, so that all of them agree. A peer lives alone, and so does its
# lock. No index address is written.
COMPILE = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-build \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
lock: $(VENV)/.dev ## solve again and rewrite deploy/locks (UPGRADE=1 takes the newest versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra all --extra test --group build --group bootstrap -o $(LOCKS)/all.txt
	$(COMPILE) pyproject.toml -c $(LOCKS)/all.txt --upgrade --extra test --group build -o $(LOCKS)/dev.txt
	$(COMPILE) pyproject.toml -c $(LOCKS)/all.txt --upgrade --group build -o $(LOCKS)/base.txt
	$(COMPILE) --group pyproject.toml:bootstrap -c $(LOCKS)/all.txt --upgrade -o $(LOCKS)/bootstrap.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --group pyproject.toml:synapse -o $(LOCKS)/synapse.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --group pyproject.toml:fuzz -o $(LOCKS)/fuzz.txt
	@! grep -n '://' $(LOCKS)/*.txt

clean: ## remove the environment, the peers' folders and every cache
	rm -rf $(VENV) .peers .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
