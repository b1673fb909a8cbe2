# make study | make test | make help.  Needs Python 3.11 or newer with pip and venv; everything else goes into .venv.
PYTHON ?= python3
VENV   ?= .venv
STUDY  ?= default
CORES  ?= $(shell getconf _NPROCESSORS_ONLN)
BIN    := $(VENV)/bin

.PHONY: help study plan test lint docs benchmark benchmark-gpu stability figures constraints clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1 \t\2/' | expand -t 24
	@echo "  variables: STUDY=$(STUDY) CORES=$(CORES) PYTHON=$(PYTHON) VENV=$(VENV)"

study: $(VENV)/.runtime ## Run a study to its report: make study STUDY=smoke CORES=2
	@$(BIN)/winit run study=$(STUDY) --cores $(CORES)

plan: $(VENV)/.runtime ## Say what a study would cost
	@$(BIN)/winit plan study=$(STUDY) --cores $(CORES)

test: $(VENV)/.test ## Run the tests
	@$(BIN)/python -m pytest

lint: $(VENV)/.test ## Check style, types, spelling and the Snakefile
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/codespell
	@$(BIN)/snakefmt --check Snakefile workflow/Snakefile
	@$(BIN)/snakemake --lint --config study=smoke

# Not --quiet: it would hide the warnings from --strict.
docs: $(VENV)/.docs reports/quick/index.html ## Build the documentation in site/, with the page of the quick study as an example
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "documentation: site/index.html (to search in it, serve it: python3 -m http.server --directory site)"

reports/quick/index.html: | $(VENV)/.docs
	@$(BIN)/winit run study=quick --cores $(CORES)

benchmark: $(VENV)/.benchmark ## Measure the engines against their peers, how a study's cost grows, theory against wide networks, coverage of intervals, and whole studies
	@$(BIN)/python -m benchmarks.engine
	@$(BIN)/python -m benchmarks.scaling
	@$(BIN)/python -m benchmarks.theory
	@$(BIN)/python -m benchmarks.coverage
	@$(BIN)/python -m benchmarks.study --study quick --cores $(CORES)
	@$(BIN)/python -m benchmarks.study --study default --cores $(CORES)

benchmark-gpu: $(VENV)/.benchmark ## Measure the engines on a CUDA device beside JAX, if there is one
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[benchmark,gpu]'
	@$(BIN)/python -m benchmarks.gpu

stability: $(VENV)/.runtime ## Run a study with another seed, too, and write docs/stability.md: what the two say otherwise
	@$(BIN)/winit run study=$(STUDY) --cores $(CORES)
	@$(BIN)/winit run study=$(STUDY) seed=1 name=$(STUDY)_seed1 --cores $(CORES)
	@$(BIN)/python -m benchmarks.stability results/$(STUDY) results/$(STUDY)_seed1

figures: $(VENV)/.runtime ## Fill in README and docs: numbers from docs/figures and the study's tables, the reference from the code
	@$(BIN)/python -m benchmarks.figures --study results/$(STUDY)

constraints: $(VENV)/.test ## Write constraints.txt: the versions that the tests ran with
	@echo "# The versions that the tests ran with, for exact reproduction: pip install -c constraints.txt winit. Made by: make constraints" > constraints.txt
	@$(BIN)/python -m pip list --format=freeze --exclude-editable --exclude pip --exclude setuptools | sed 's/+.*//' >> constraints.txt

clean: ## Remove the environment; results and reports stay
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "winit needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV)

# The tests of the page want a Chromium. Root on Debian gets one; elsewhere, or without a network, those tests are skipped.
# In continuous integration (CI is set) Playwright installs one where there is none, and a failure is a failure.
define browser
command -v "$${WINIT_CHROMIUM:-chromium}" || { [ "$$(id -u)" = 0 ] && command -v apt-get && \
  { apt-get install -y --no-install-recommends chromium || { apt-get update && apt-get install -y --no-install-recommends chromium; }; }; } || \
  { [ -n "$$CI" ] && $(BIN)/playwright install --with-deps chromium; }
endef

# The stamps stand for "what pyproject.toml asks for is installed".
$(VENV)/.runtime: pyproject.toml | $(VENV)/bin/python
	@echo "installing winit into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[interactive]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@echo "installing winit and its tests into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[test]'
	@( $(call browser) ) >$(VENV)/browser.log 2>&1 || [ -z "$$CI" ] || { cat $(VENV)/browser.log >&2; exit 1; }
	@touch $@ $(VENV)/.runtime

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	@echo "installing winit and what builds its documentation into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[docs,interactive]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.benchmark: pyproject.toml | $(VENV)/bin/python
	@echo "installing winit and what it is measured against into $(VENV)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[benchmark,interactive]'
	@touch $@ $(VENV)/.runtime
