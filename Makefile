# Every target makes the virtual environments that it needs, from the lock files in requirements/.
# Python 3.11 or newer and make are all that has to be there. `make` alone prints the targets.

# Candidates are run: a version manager's shim may be on PATH and fail all the same.
ifndef PYTHON
PYTHON := $(shell for python in python3.11 /usr/local/bin/python3.11 /usr/bin/python3.11 \
    "$$HOME"/.pyenv/versions/3.11*/bin/python3.11 python3 python3.12 python3.13 python3.14; do \
    "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
    >/dev/null 2>&1 && { echo "$$python"; break; }; done)
ifeq ($(PYTHON),)
$(error Python 3.11 or newer, with its venv module, was not found; name one with PYTHON=...)
endif
else
# One that is named is looked at, too, before an environment is deleted to be made of it.
NAMED := $(shell "$(PYTHON)" -c 'import ensurepip, sys, venv; print("is %d.%d" % sys.version_info[:2] \
    if sys.version_info < (3, 11) else "serves")' 2>/dev/null || echo "does not run or has no venv module")
ifneq ($(NAMED),serves)
$(error Python 3.11 or newer is needed, PYTHON=$(PYTHON) $(NAMED))
endif
endif

DEV := .venv/dev/bin/python

# Of `make fuzz`, for each harness; of `make soak`.
SECONDS := 60
MINUTES := 10

# Each part's output is shown in one piece, and none keeps another from running to its end.
SIDE_BY_SIDE := $(MAKE) --no-print-directory --keep-going --jobs=3 --output-sync=target

.DEFAULT_GOAL := help
.PHONY: help demo quick test long check check-mypy check-tests check-basedpyright check-rest site docs coverage \
    audit bench build release fuzz soak lock clean dev

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: dev ## Start the complete system, stream speech and an interpreter to three listeners, show what happens
	@$(DEV) -m local demo

quick: dev ## Run what takes under a minute: one Python, no running system, no browser
	@$(DEV) tools/run_tests.py quick

test: dev ## Run the tests; the layer's under the newest Python up to 3.14, too
	@$(DEV) tools/run_tests.py test

long: dev ## Run all tests with more examples, under every Python, and what takes minutes
	@$(DEV) tools/run_tests.py long

check: dev ## Check format, lint, types and generated files
	@$(SIDE_BY_SIDE) check-mypy check-tests check-basedpyright check-rest

check-mypy:
	@$(DEV) -m mypy

# Each folder by itself: some have a module of the same name. The layer's own tests look into it, override
# what they replace, and make types at run time. What is checked by other rules has a cache of its own: side by
# side with one cache, each run would have all of the others' to do again.
check-tests:
	@$(DEV) -m mypy --config-file tests/mypy.ini --cache-dir .mypy_cache/layer shared-layer/tests --disable-error-code attr-defined \
	    --disable-error-code override --disable-error-code valid-type
	@for folder in authorizer/tests cdk/tests functions/tests protocol/tests "tests infrastructure/tests layerctl/tests wslocal/tests"; do \
	    $(DEV) -m mypy --config-file tests/mypy.ini $$folder || exit 1; done

check-basedpyright:
	@$(DEV) -m basedpyright --pythonpath $(DEV)

check-rest:
	@$(DEV) -m ruff format --check .
	@$(DEV) -m ruff check .
	@$(DEV) tools/generate.py --check
	@$(DEV) tools/node.py node_modules/typescript/bin/tsc -p .

site: dev ## Build the documents as a site in docs/site, offline; a warning fails it
	@rm -rf docs/site
	@$(DEV) -m sphinx -q -W --keep-going -j auto -E -c docs -d .cache/site . docs/site
	@echo "docs/site/index.html"

docs: dev ## Write the protocol's AsyncAPI, JSON Schemas and examples to docs/protocol/generated
	@rm -rf docs/protocol/generated
	@$(DEV) tools/generate.py --docs docs/protocol/generated

coverage: dev ## Prove that each of the layer's test files covers its module, lines and branches
	@$(DEV) tools/coverage_alone.py

audit: dev ## Ask whether a pinned package has a known vulnerability; needs the network
	@$(DEV) tools/audit.py

bench: ## Measure the layer and its peers in one run; BENCH=name picks one benchmark
	@$(PYTHON) tools/benchmarks.py $(BENCH)

fuzz: ## Fuzz each harness for SECONDS=60; FUZZ=name picks one. Linux only
	@$(PYTHON) tools/environments.py fuzz
	@.venv/fuzz/bin/python -m fuzz --seconds $(SECONDS) $(FUZZ)

soak: dev ## Load the complete system for MINUTES=10: memory, descriptors, threads and delay must be flat
	@$(DEV) -m tests.soak $(MINUTES)

build: ## Build shared-layer/shared-layer.zip
	@PYTHON="$(PYTHON)" shared-layer/build.sh

release: dev ## Make the release of TAG=v0.2.0 in dist/: wheels, zips, digests, bills of materials
	@$(DEV) tools/release.py "$(TAG)"

lock: ## Pin the newest versions that requirements/*.in allow
	@$(PYTHON) tools/environments.py lock
	@for name in test dev bench fuzz audit lock authorizer; do .venv/lock/bin/uv pip compile --quiet --upgrade \
	    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    --custom-compile-command "make lock" requirements/$$name.in -o requirements/$$name.txt \
	    || exit 1; done

clean: ## Remove what these targets made
	@rm -rf .venv .cache web/node_modules .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache heard.wav docs/protocol/generated docs/site
	@rm -rf dist shared-layer/shared-layer.zip shared-layer/.hypothesis shared-layer/.pytest_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev:
	@$(PYTHON) tools/environments.py dev
