# Every target does its own set-up in .venv, from the lock files; only Python 3.11+, pip and make are needed.
# `python -P`: a module is never imported from the current folder.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
unexport VIRTUAL_ENV PYTHONPATH $(filter-out PYTHON,$(filter PYTHON%,$(.VARIABLES)))

PYTHON ?=
BIN := .venv/bin
PACKAGES := shared-signing shared-service casino-service provider-service deploy/local
TEST_PACKAGES := tests-e2e
RUN_SUITES := $(BIN)/python deploy/run_suites.py
# Long suites first, in parts: the longest run is what everybody waits for.
LONGEST := casino-service:3
STACK_SUITES := $(LONGEST) tests-e2e/contract:3 provider-service:2 tests-e2e/bench+tests-e2e/fuzz+tests-e2e/saboteurs
# Faults and chaos need the server's processes and files, which a container does not give.
SUITES := $(LONGEST) tests-e2e/faults+tests-e2e/chaos:2 tests-e2e/browser deploy:2 \
	$(filter-out $(LONGEST),$(STACK_SUITES)) shared-service shared-signing
SOURCES := $(PACKAGES:%=%/src)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Two sizes of the same environment: what runs the stack, and with it everything that tests and checks it.
.venv/.runtime: deploy/local/requirements.lock deploy/set-up.sh deploy/command.sh
	@deploy/set-up.sh runtime "$(PYTHON)"

.venv/.complete: requirements.lock deploy/set-up.sh $(PACKAGES:%=%/pyproject.toml) $(TEST_PACKAGES:%=%/pyproject.toml)
	@deploy/set-up.sh complete "$(PYTHON)"

.PHONY: demo
demo: .venv/.runtime ## start everything, play the scripted round, show it as a table, stop; PEERS=2
	@exec $(BIN)/python -P -m local_stack demo --parent $$PPID $(if $(PEERS),--peers "$(PEERS)")

.PHONY: serve
serve: .venv/.runtime ## start everything and stay in the foreground until Ctrl-C; PEERS=2: two casinos, two providers
	@exec $(BIN)/python -P -m local_stack serve --parent $$PPID $(if $(PEERS),--peers "$(PEERS)")

.PHONY: simulate
simulate: .venv/.runtime ## play the scripted round against a running stack; PEER=2: the second casino; GAME=5
	@exec $(BIN)/python -P -m local_stack simulate $(if $(PEER),--peer "$(PEER)") $(if $(GAME),--game "$(GAME)")

.PHONY: demo-data
demo-data: .venv/.runtime ## make thirty days of history for the demo, while nothing runs; BETS=200000
	@exec $(BIN)/python -P -m local_stack demo-data --parent $$PPID $(if $(BETS),--bets "$(BETS)")

STATE_DIR = $(or $(STACK_STATE_DIR),.state)

.PHONY: staff-create
staff-create: .venv/.runtime ## make a member of staff: USERNAME=… ROLE=owner; asks for the password, or reads it as a line
	@if [ -z "$$CASINO_OWNER_DATABASE_URL" ]; then \
		[ -r "$(STATE_DIR)/casino.env" ] || { echo "start the stack first (make serve), or set CASINO_OWNER_DATABASE_URL" >&2; exit 1; }; \
		set -a; . "$(STATE_DIR)/casino.env"; set +a; \
	fi; exec $(BIN)/casino staff create "$(USERNAME)" --role "$(ROLE)" $(if $(TENANT),--tenant "$(TENANT)")

.PHONY: smoke
smoke: .venv/.runtime ## look at a running casino from outside: API_BASE=http://…; SMOKE_USERNAME, SMOKE_PASSWORD: log in, too
	@API_BASE="$(API_BASE)" exec $(BIN)/python -P -m local_stack.smoke

.PHONY: test
test: .venv/.complete ## unit, integration and end-to-end tests on the embedded PostgreSQL
	TEST_POSTGRES=embedded E2E_TARGET=own $(RUN_SUITES) $(SUITES)

.PHONY: test-fast
test-fast: .venv/.complete ## the tests of one file and one rule that need no database: an answer while you work
	PYTEST_ADDOPTS='-q -m "not postgres and not slow"' \
		$(RUN_SUITES) casino-service provider-service shared-service shared-signing

# What a container's server could do otherwise than the embedded one: start empty, keep roles apart, lock, commit.
CONTAINER_SAMPLE := $(foreach part,sql/test_migrations sql/test_privileges wallet/test_races callbacks/test_nonces wallet/test_lost_answers,casino-service/tests/$(part).py) \
	$(foreach part,sql/test_migrations outbox/test_books outbox/test_recovery ops/test_nonces,provider-service/tests/$(part).py) \
	$(foreach part,scripted_round races,tests-e2e/contract/test_$(part).py)

.PHONY: test-browser
test-browser: .venv/.complete ## pages in a real browser; installs chromium and axe-core where they can be had
	@deploy/browser.sh
	NIGHTLY=1 $(BIN)/python -P -m pytest tests-e2e/browser

.PHONY: test-docker
test-docker: .venv/.complete ## the same on containers, then end to end against docker compose; SAMPLE=1: less on containers
	TEST_POSTGRES=testcontainers E2E_TARGET=own \
		$(if $(SAMPLE),$(BIN)/python -P -m pytest $(CONTAINER_SAMPLE),$(RUN_SUITES) $(STACK_SUITES))
	@$(MAKE) test-compose

.PHONY: test-compose
test-compose: .venv/.complete ## the end-to-end tests against docker compose
	@BIN=$(BIN) deploy/docker/test-compose.sh

.PHONY: test-rls
test-rls: .venv/.complete ## try every table as the application's role, and every route of the platform as every role, across tenants
	NIGHTLY=1 $(BIN)/python -P -m pytest casino-service/tests/sql/test_row_security.py casino-service/tests/platform/test_permission_walk.py

.PHONY: test-17
test-17: .venv/.complete ## both services' suites on PostgreSQL 17, whose programs npm brings
	@deploy/test-on-17.sh $(BIN)/python

.PHONY: check
check: .venv/.complete ## formatting, lint, types, import contracts, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict $(SOURCES)
	$(BIN)/lint-imports
	find casino-service/src provider-service/src -path '*/migrations/*' -name '*.sql' | sort | xargs $(BIN)/squawk --config deploy/squawk.toml

.PHONY: chaos
chaos: .venv/.complete ## play rounds through faults and check every invariant; SEED=… SECONDS=…
	exec $(BIN)/python -P -m chaos $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))

.PHONY: fuzz
fuzz: .venv/.complete ## send both services streams of odd bytes beside a good client; SEED=… SECONDS=…
	FUZZ_SEED="$(or $(SEED),$(shell date +%s))" FUZZ_SECONDS="$(or $(SECONDS),120)" \
		$(BIN)/python -P -m pytest tests-e2e/fuzz --timeout 0 -s

.PHONY: saboteurs
saboteurs: .venv/.complete ## break a copy in one place at a time: which test notices? ONLY=names SAMPLE=n SEED=text
	exec $(BIN)/python -P -m saboteurs --only="$(ONLY)" --sample="$(SAMPLE)" --seed="$(SEED)"

.PHONY: mutants
mutants: .venv/.complete ## change every statement of the core modules (mutmut): which change does no test notice? ONLY=parts
	exec $(BIN)/python -P -m saboteurs.mutants --only="$(ONLY)"

.PHONY: bench
bench: .venv/.complete ## measure speed and size; writes docs/benchmarks.md
	exec $(BIN)/python -P -m bench

REV ?= HEAD~1
.PHONY: bench-against
bench-against: .venv/.complete ## compare throughput with earlier revisions (REV="a b"); writes docs/benchmarks-against.md
	exec $(BIN)/python -P -m bench.against $(REV)

.PHONY: bench-round
bench-round: .venv/.complete ## show the processor time of a nine-step round in each process; REV=…: beside an earlier revision
	exec $(BIN)/python -P -m bench.round_cost $(if $(filter command line,$(origin REV)),$(REV))

.PHONY: failover
failover: .venv/.complete ## kill the primary under load, promote its standby, count every acknowledged answer
	exec $(BIN)/python -P -m faults.failover

.PHONY: restore-drill
restore-drill: .venv/.complete ## back up, lose the servers, restore in every way of docs/postgres.md, count what is left
	exec $(BIN)/python -P -m faults.restore_drill

.PHONY: nightly
nightly: .venv/.complete ## everything that CI samples, whole: generators, fuzz, saboteurs, chaos, restores; hours
	NIGHTLY=1 TEST_POSTGRES=embedded E2E_TARGET=own $(RUN_SUITES) $(SUITES)
	@$(MAKE) test-17
	@$(MAKE) rtp SIMULATE=10000000
	@$(MAKE) fuzz SECONDS=600
	@$(MAKE) restore-drill
	@$(MAKE) chaos SECONDS=600
	@$(MAKE) saboteurs

.PHONY: sbom
sbom: .venv/.runtime ## write a bill of materials of each image from its lock: build/sbom/*.json (CycloneDX)
	@deploy/sbom.sh

.PHONY: rtp
rtp: .venv/.complete ## compute what each slot pays back, and write its PAR sheet; SIMULATE=10000000: play so many spins, too
	$(BIN)/python -P -m provider.catalogue.make_sheets --simulate "$(or $(SIMULATE),0)"

.PHONY: docs
docs: .venv/.complete ## render docs/errors.md, docs/proofs.md, docs/delivery-orders.md and the tables of docs/platform.md
	$(BIN)/python docs/render_errors.py
	$(BIN)/python docs/render_platform.py
	$(BIN)/python docs/render_reliability.py

.PHONY: lock
lock: .venv/.complete ## resolve all dependencies anew; UV_OPTIONS=--upgrade for newer versions
	@deploy/locks/lock.sh $(BIN)/uv $(UV_OPTIONS)

.PHONY: clean
clean: ## remove .venv, .state and everything else that make made
	@deploy/clean.sh
