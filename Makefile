# `make demo` and `make test` need Python 3.11 or newer and git, and nothing else first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# REPOCTX_TEST_CLIENTS=FOLDER names a node_modules that has the client programs already.
CLIENTS := $(if $(REPOCTX_TEST_CLIENTS),,tests/clients/node_modules)

.PHONY: demo test test-browser test-fleet test-clients lint bench backend golden clean

# --- for users ------------------------------------------------------------------------------------

demo: $(VENV)/installed       ## index a sample repository, search it, pack it
	@$(BIN)/python tests/demo.py $(BIN)/repoctx

test: $(VENV)/test-installed  ## everything: tests, linters, types, layers
	$(BIN)/python -m pytest -n 3 --dist worksteal

# --- for developers -------------------------------------------------------------------------------

lint: $(VENV)/test-installed  ## only the fast checks
	$(BIN)/python -m pytest -q tests/test_tidy.py

golden: $(VENV)/test-installed ## write the golden files anew; read the diff
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/unit tests/golden

test-browser: $(VENV)/test-installed ## every web page in a real Chromium (an installed one)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m browser

test-fleet: $(VENV)/test-installed ## hosts, clusters, proxies, upgrades: many processes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m fleet

bench: $(VENV)/test-installed ## speed on the standard library; REPOCTX_BENCH_REPOSITORY=PATH for another
	$(BIN)/python tests/bench/speed.py

test-clients: $(VENV)/test-installed $(CLIENTS) ## real Qwen Code, Claude Code and MCP inspector
	$(BIN)/python -m pytest tests/clients

backend:                      ## a real mixture-of-experts server for tests (about 10 minutes, cached)
	deploy/backend/build.sh

clean:
	rm -rf $(VENV) build dist *.egg-info

# --- installing -----------------------------------------------------------------------------------

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

# torch first, and this very release: the embedding extra would otherwise bring a build for GPUs.
$(VENV)/test-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[postgres,transformers,test]'
	@touch $@ $(VENV)/installed

tests/clients/node_modules: tests/clients/package.json
	npm install --prefix tests/clients --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@
