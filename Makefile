# Every target makes the environment that it needs: .venv, from requirements.lock. `make help` lists the targets.

CONFIG ?= virtual
SWEEP ?= config/sweeps/ci.yml
JOBS ?= 2
PYTHON ?= python3

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The stamp's name changes with the lock, and with the folder: pip writes the checkout's address into .venv.
STAMP := .venv/made-from-$(shell { cat requirements.lock; pwd; } | cksum | cut -d ' ' -f 1)
BIN := .venv/bin
# Snakemake reads its Snakefile from a cache, and an old one where it is there. Another call of make has its own.
SNAKEMAKE = test -w . || { echo "$$PWD cannot be written to, and make keeps .snakemake and _build there: copy the checkout to a \
	folder that you may write to" >&2; exit 1; }; cache="$$(mktemp -d)"; trap 'rm -rf "$$cache"' EXIT; \
	$(BIN)/python -m helpers.runs.warm $(BIN)/python -m snakemake -s workflow/Snakefile --cores $(JOBS) --rerun-incomplete --nolock \
	--runtime-source-cache-path "$$cache" --quiet host reason rules --config "config=$(CONFIG)"

# A folder in these variables is seen from here, whatever folder a notebook runs in.
absolute = for name in QTP_DATA_MIRROR QTP_DATA_DIR QTP_RUNS_DIR; do \
	value="$${!name:-}"; case "$$value" in ''|/*|'~'*|*://*) ;; *) export "$$name=$$PWD/$$value" ;; esac; done

# uv installs the lock several times faster than pip, which brings it, checked by its own hash in the lock. It does not
# read pip's settings: an index that they name is handed on, and where uv finds no index pip does the work. What is
# imported is compiled after it, a third of what is installed.
uv = { awk '/^uv==/ { on = 1 } on { print; if (!/\\$$/) exit }' requirements.lock > .venv/uv.lock \
	&& $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock \
	&& index="$$($(BIN)/python -m pip config get global.index-url 2> /dev/null || true)" \
	&& UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$${index:-}}}" \
	&& { if [ -n "$$UV_DEFAULT_INDEX" ]; then export UV_DEFAULT_INDEX; else unset UV_DEFAULT_INDEX; fi; } \
	&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; }

ROWS ?=
REPEAT ?= 3
LABEL ?= now
COMMIT ?= HEAD

SEED ?= 1
MINUTES ?= 10

# What is given is a name or a path, and never a command: neither make nor the shell is to find anything in it to execute.
# `value` gives it as it was written, before make looks into it.
GIVEN := CONFIG SWEEP JOBS PART PROFILE DRY RETRY PIP ROWS REPEAT LABEL COMMIT N SEED MINUTES
MARKS := $$ ` ' " \ ; & | < > ( ) { } [ ] * ? ! \#
found = $(strip $(foreach mark,$(MARKS),$(findstring $(mark),$(value $(1)))) $(if $(filter-out ROWS,$(1)),$(word 2,$(value $(1)))))
$(foreach name,$(GIVEN),$(if $(call found,$(name)),$(error $(name) is not a plain name or path: expected letters, digits \
	and . _ / - + = , : @ ~ without spaces)))

.PHONY: help book run plan pdf site sweep bench bench-maps bench-quick test test-faults test-cluster test-book mutants lint lab data readme lock
.PHONY: clean environment fuzz audit

help: ## list the targets
	@echo "make TARGET [CONFIG=$(CONFIG)] [JOBS=$(JOBS)] [PYTHON=$(PYTHON)]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo "configurations: $$(cd config && ls *.yml | sed 's/\.yml//' | tr '\n' ' ')"

book: $(STAMP) ## run what is stale of CONFIG, then build the book
	@$(absolute); $(SNAKEMAKE) -- book
	@echo "The book of '$(CONFIG)' is up to date: _build/html/index.html"

run: $(STAMP) ## run what is stale of the notebooks of CONFIG
	@$(absolute); $(SNAKEMAKE) -- run
	@echo "The notebooks of '$(CONFIG)' are up to date: $${QTP_RUNS_DIR:-runs}/$(basename $(notdir $(CONFIG)))/notebooks"

plan: $(STAMP) ## list where to measure next, in N plots, as CSV, GeoJSON and GPX; N=20 by the configuration
	@$(absolute); $(SNAKEMAKE) -- plan
	@$(absolute); $(BIN)/python -m helpers.runs.plan --config "$(CONFIG)" $(if $(N),--number "$(N)")

pdf: book ## print the book of CONFIG to _build/book.pdf; needs Chromium
	@$(BIN)/python -m helpers.runs.printed

# A site needs both books at once; each build replaces _build/html.
site: $(STAMP) ## build the books of open and virtual into _build/site, with a switch between them
	@for name in open virtual; do \
		$(MAKE) --no-print-directory book CONFIG=$$name; rm -rf _build/books/$$name; mkdir -p _build/books; \
		test -e "_build/html/of-run-$$name" || { echo "another call of make has built its book meanwhile: call make site again" >&2; exit 1; }; \
		cp -r _build/html _build/books/$$name; done
	@$(BIN)/python -m helpers.runs.site _build/site open=_build/books/open virtual=_build/books/virtual

sweep: $(STAMP) ## run what is missing of SWEEP, then collect; DRY=1 lists, RETRY=1 repeats failures, PART=1/4, PROFILE=
	@$(absolute); $(BIN)/python -m helpers.sweeps.stages run "$(SWEEP)" --jobs $(JOBS) $(if $(DRY),--dry-run) \
		$(if $(RETRY),--retry-failed) $(if $(PART),--part "$(PART)") $(if $(PROFILE),--profile "$(PROFILE)")

bench: $(STAMP) ## measure what people wait for, and compare; ROWS="test book-open" REPEAT=3 LABEL=now COMMIT=HEAD
	@$(absolute); $(BIN)/python benchmarks/waits.py --rows "$(ROWS)" --repeat $(REPEAT) --label "$(LABEL)" \
		--commit "$(COMMIT)"

bench-maps: $(STAMP) ## measure engines and scaling anew into data/benchmarks; 20 minutes on two idle cores
	@$(BIN)/python benchmarks/engines.py
	@$(BIN)/python benchmarks/scaling.py

bench-quick: $(STAMP) ## try those of the maps in 3 minutes; the tables go to _build/benchmarks
	@$(BIN)/python benchmarks/engines.py --quick --output _build/benchmarks/engines.csv
	@$(BIN)/python benchmarks/scaling.py --quick --output _build/benchmarks/scaling.csv

test: lint ## check style, then run the tests
	@$(absolute); $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-faults: $(STAMP) ## kill processes, take their files away and let two at one thing; a quarter of an hour or more
	@$(absolute); $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m faults

test-cluster: $(STAMP) ## run a sweep and notebook 02 on a SLURM that is started here; root on Debian or Ubuntu
	@$(BIN)/python -m pytest -m cluster tests/cluster

test-book: $(STAMP) ## look at all pages of both books in a headless Chromium, which it installs where it can
	@$(BIN)/python tests/browser/browser_tools.py
	@$(absolute); $(BIN)/python -m pytest -n $(JOBS) --dist loadfile tests/browser

mutants: N ?= 200
mutants: $(STAMP) ## change the code in N=200 places, SEED=1, and list the changes that no test finds
	@$(BIN)/python workflow/mutants.py --number $(N) --seed $(SEED) --jobs $(JOBS)

# Atheris, and pip-audit, stay out of .venv: they are not for every system, and bring much that nothing else needs.
FUZZ := _build/fuzz/atheris-$(shell { cat workflow/fuzz.lock 2> /dev/null || true; } | cksum | cut -d ' ' -f 1)
AUDIT := _build/audit/made-from-$(shell { cat workflow/audit.lock 2> /dev/null || true; } | cksum | cut -d ' ' -f 1)

fuzz: $(STAMP) $(FUZZ) ## feed the readers of untrusted files with damaged ones for MINUTES=10; Linux
	@PYTHONPATH=src:$(FUZZ) $(BIN)/python workflow/fuzz.py --minutes "$(MINUTES)"

$(FUZZ):
	@mkdir -p $(@D); $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
		--only-binary :all: --target $@.partial -r workflow/fuzz.lock || { rm -rf $@.partial; \
		echo "Atheris cannot be installed here: it is made for Linux with Python 3.11 to 3.13" >&2; exit 1; }
	@mv $@.partial $@

audit: $(AUDIT) ## ask whether a locked package has a known vulnerability; needs the network
	@_build/audit/bin/python workflow/audit.py

$(AUDIT):
	@$(PYTHON) -m venv --clear _build/audit
	@_build/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r workflow/audit.lock
	@touch $@

lint: $(STAMP) ## check style, layers of imports and dependencies
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@PYTHONPATH=src $(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .

# A folder of JUPYTER_PATH may hold a kernel python3 of another Python, which would come before that of .venv.
lab: $(STAMP) ## open the notebooks in JupyterLab
	@$(absolute); env -u JUPYTER_PATH $(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks

# Without CONFIG it is the files of the open configuration, as they are pinned in the catalogue.
data: $(STAMP) ## fetch and check the files of CONFIG, open if it is not named; DRY=1 says what would come
	@$(absolute); $(BIN)/python -m helpers.runs.fetch $(if $(DRY),--dry-run) \
		--config "$(if $(filter file,$(origin CONFIG)),open,$(CONFIG))"

environment: $(STAMP) ## make .venv from the lock

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
		echo "$(PYTHON) lacks the module venv: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Making .venv from requirements.lock: under a minute with uv, some minutes with pip alone (PIP=1)."
	@$(PYTHON) -m venv --clear .venv
	@$(if $(PIP),false,$(uv)) || { \
		$(if $(PIP),,echo "uv did not install the lock: pip does" >&2;) \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m helpers.runs.ahead
	@touch $(STAMP)

readme: $(STAMP) ## renew the README's result from the open run
	@$(absolute); $(BIN)/python workflow/readme_result.py

lock: $(STAMP) ## renew requirements.lock from pyproject.toml (for maintainers; asks the package index)
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-emit-index-url --no-header --quiet -o requirements.lock
	@# A later Atheris has no wheel for Python 3.11.
	@for name in 'atheris<3.1:fuzz' pip-audit:audit; do echo "$${name%:*}" | $(BIN)/uv pip compile - --universal \
		--python-version 3.11 --upgrade --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
		-o "workflow/$${name#*:}.lock"; done

clean: ## remove the book and all runs; .venv stays
	rm -rf _build runs .snakemake .pytest_cache .ruff_cache .hypothesis
