# Every target sets up what it needs in .venv by itself: Python 3.11+, make and a package index suffice.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: lint-async lint-types lint-test-types check imports schema-page tour fault-ledger install demo test lint bench conformance fault-grid random-kills read-faults bad-day kill-database outages restores lock clean guards mutants properties model evidence every-session realism soak windows stories wheels pythons

demo: .venv/runtime
	$(BIN)/recio demo

test: .venv/developer
	$(BIN)/python -m pytest --numprocesses 4 --dist worksteal --durations 25

# Every Python that is supported and found here: installed, imported, a fast selection of tests; a minute each.
pythons:
	.ci/pythons

# What takes half a minute or more each, on real processes; some twenty minutes. ONE=daily_loss runs those named so.
ONE ?=
stories: .venv/developer .venv/wheels
	$(BIN)/python -m pytest -m long $(if $(ONE),-k $(ONE),--numprocesses 4 --dist loadfile) --durations 50

install: .venv/developer

# What a change is held against while it is made: seconds, not minutes. Types are checked in the changed files of
# recio/ only; `make check WHOLE=1` checks them all.
CHANGED := { git diff --name-only --diff-filter=d HEAD; git ls-files --others --exclude-standard; } | grep '^recio/.*\.py$$'
check: .venv/developer
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/recio check recio.toml >/dev/null
	$(BIN)/python -m pytest --quiet tests/test_architecture.py
	@files=$$($(if $(WHOLE),echo recio,$(CHANGED))); if [ -n "$$files" ]; then $(BIN)/pyright $$files; fi

# flake8-async is slow, and finds nothing in a file that neither is asynchronous nor imports what is.
# What takes its time stands by itself, so that `make --jobs 2 lint` does it beside the rest.
lint: lint-async lint-types lint-test-types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/codespell

lint-async: .venv/developer
	grep -rlwE 'async|anyio|asyncio' recio --include='*.py' | xargs $(BIN)/flake8 --select ASYNC1,ASYNC2,ASYNC900 --extend-ignore ASYNC124

lint-types: .venv/developer
	$(BIN)/pyright

lint-test-types: .venv/developer
	$(BIN)/pyright --project pyrightconfig.tests.json

# Everything that is measured, in under ten minutes; PAGE=1 writes docs/benchmarks.md, QUICK=1 only shows that it runs,
# ONLY="ticks scale" measures some of: steps ticks flow memory start replay scale readers import.
bench: .venv/developer .bench-venv/installed
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(if $(PAGE),--page)

# The likeness of the old architecture runs on what that ran on, in an environment of its own.
.bench-venv/installed: benchmarks/peers/requirements.lock
	$(PYTHON) -m venv .bench-venv
	.bench-venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		--requirement benchmarks/peers/requirements.lock
	@touch $@

# Clients that were not written here, in an environment of their own, against `recio exchange`.
conformance: .venv/runtime .conformance-venv/installed
	.conformance-venv/bin/python tests/conformance/run.py $(BIN)/recio

# The official client declares a newer Python than it needs, so it is taken out of its wheel by itself.
.conformance-venv/installed: tests/conformance/requirements.lock tests/conformance/official.lock
	$(PYTHON) -m venv .conformance-venv
	.conformance-venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		--requirement tests/conformance/requirements.lock
	.conformance-venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps \
		--ignore-requires-python --requirement tests/conformance/official.lock
	@touch $@

# Pinned with hashes for every platform; run after changing dependencies in pyproject.toml.
lock: .venv/developer
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--upgrade pyproject.toml --group build --extra embedded --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--upgrade pyproject.toml --group build --extra embedded --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--upgrade benchmarks/peers/requirements.txt --output-file benchmarks/peers/requirements.lock

clean:
	rm -rf .venv .conformance-venv .bench-venv .recio .pytest_cache .ruff_cache .hypothesis .import_linter_cache benchmarks/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "recio needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) install --require-hashes --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/developer: requirements-dev.lock .venv/runtime
	$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

# The packages of requirements.lock as files: what tests/droplet installs on a machine that it boots, without a network.
wheels: .venv/wheels
.venv/wheels: requirements.lock | .venv/bin/python
	rm -rf $@.new && $(PIP) download --require-hashes --requirement requirements.lock --dest $@.new
	rm -rf $@ && mv $@.new $@ && touch $@

# Every crash point under every fault, on real processes; hours of one core. CASES=200 takes so many, evenly spread.
CASES ?= 0
fault-grid: .venv/developer
	$(BIN)/python -m tests.faults.run_grid --cases $(CASES) --report docs/proof/fault-grid.json

# The daemon killed with -9 at drawn instants under trading load.
KILLS ?= 1000
random-kills: .venv/developer
	$(BIN)/python -m tests.faults.random_kills --kills $(KILLS) --report docs/proof/random-kills.json

# Every read of the venue fails in every manner while a stop, a flatten or a settlement is due; half an hour.
READ_FAULTS ?= 0
read-faults: .venv/developer
	$(BIN)/python -m tests.faults.read_faults --cases $(READ_FAULTS) --report docs/proof/read-faults.json

# A market day in which nothing goes well, at speed: failing reads, late orders, a person beside it, kills; fifty minutes.
DAY_HOURS ?= 24
SEED ?= 1
bad-day: .venv/developer
	$(BIN)/python -m tests.faults.bad_day --hours $(DAY_HOURS) --seed $(SEED)

# PostgreSQL killed whole with -9 while the daemon writes; the daemon finds its way back by itself.
DATABASE_KILLS ?= 200
kill-database: .venv/developer
	$(BIN)/python -m tests.faults.kill_database --kills $(DATABASE_KILLS) --report docs/proof/kill-database.json

# Venue, database and both away from the shipped unit for an hour, in booted machines (root, systemd-nspawn).
OUTAGE_SECONDS ?= 3600
outages: .venv/developer
	$(BIN)/python -m tests.faults.hour_away --seconds $(OUTAGE_SECONDS)

# Restores at random instants of a stream of changes, each proven row by row; IN_MEMORY=1 spares a busy disk.
RESTORES ?= 200
RESTORE_MINUTES ?= 60
restores: .venv/developer
	$(BIN)/python -m tests.faults.restores --restores $(RESTORES) --minutes $(RESTORE_MINUTES) $(if $(IN_MEMORY),--in-memory) \
		--report docs/proof/restores.json

# Takes out each guard in turn and expects a test to fail; `make guards ONLY=halt` for those named so.
guards: .venv/developer
	$(BIN)/python tests/guards/run.py $(ONLY)

# Random histories of the order path against a model venue; some ten minutes. Another SEED is another set of histories.
STEPS ?= 200000
model: .venv/developer
	RECIO_MODEL_STEPS=$(STEPS) RECIO_MODEL_SEED=$(SEED) $(BIN)/python -m pytest tests/model -q -s

# Four laws of trading over a million drawn cases; ten minutes of one core. CASES_OF_LAWS=20000 is what the suite draws.
CASES_OF_LAWS ?= 1000000
properties: .venv/developer
	$(BIN)/python -m tests.rules.laws --cases $(CASES_OF_LAWS) --report properties.json

# Breaks rules, the order path and the schema in one small place after another; a test must notice each. Hours; EACH=50 draws
# so many of each area by SEED, and BREAKS=word only those whose file or name holds it.
EACH ?= 0
BREAKS ?=
mutants: .venv/developer
	$(BIN)/python -m tests.mutants.run --each $(EACH) --seed $(SEED) --only "$(BREAKS)" --far $(if $(BREAKS),,--report mutants)

# The daemon lives through every recorded session in RECIO_DATA, killed in the middle, and its decisions are made again.
every-session: .venv/developer
	$(BIN)/python -m tests.recording.every_session

# The page of what was tried and found, from the reports that the proofs above leave in docs/proof.
fault-ledger: .venv/developer
	$(BIN)/python -m tests.faults.fault_ledger

# The page of who imports whom.
imports: .venv/developer
	$(BIN)/python -m tests.imports_picture

# The pictures of the README's tour, from a demo of its own in Chromium; a minute or two.
tour: .venv/developer
	$(BIN)/python -m tests.web.tour docs/tour

# The page of tables and columns, from their comments in schema.sql.
schema-page: .venv/developer
	$(BIN)/python -m tests.schema_page

# How like the recordings in RECIO_DATA the simulated market is; two minutes of one core.
realism: .venv/developer
	$(BIN)/python -m benchmarks.realism

# A day of market time on the exchange with several members and a bad network: money exact, nothing left over; HOURS=2 for less.
HOURS ?= 24
soak: .venv/developer
	$(BIN)/python -m tests.exchange_sim.soak --hours $(HOURS)

# How often the bounds of a probability hold, in as many simulated windows; ten minutes of two cores. `make evidence` takes it in.
WINDOWS ?= 100000
windows: .venv/developer
	$(BIN)/python -m tests.rules.simulated_windows $(WINDOWS) >docs/evidence/windows.md.new
	mv docs/evidence/windows.md.new docs/evidence/windows.md

# The page of how good the probabilities were, from the recordings in RECIO_DATA; two minutes of one core.
evidence: .venv/developer
	$(BIN)/python -m benchmarks.evidence
