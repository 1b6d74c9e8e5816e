# Everything that a user tries and a developer checks. Needs only make and Python >= 3.11; the rest is installed into
# .venv-3.3 and .venv-2.11, one environment per Airflow line, pinned by constraints/.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Airflow starts a process for every task. Where byte code is not kept, each compiles all that it imports.
export PYTHONDONTWRITEBYTECODE :=

# The newest Python 3 that each Airflow line supports, as a minor version.
NEWEST_3.3 := 14
NEWEST_2.11 := 12
# What pyenv has built comes last: it leaves out the compiler's optimizations unless told, and the tests take a quarter
# longer.
python_for = $(shell names="$(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)"; \
	{ type -aP $$names | grep -v /shims/ || true; type -aP $$names || true; } | while read -r path; do \
	if "$$path" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $(NEWEST_$(1))))' 2>/dev/null; \
	then echo "$$path"; break; fi; done)
airflow_for = $(shell sed -n 's/^apache-airflow==//p' constraints/airflow-$(1).txt)
# $(call install,LINE,EXTRAS) or, into an environment that has no uv of its own, $(call install,LINE,EXTRAS,ENVIRONMENT)
install = .venv-$(1)/bin/uv pip install --quiet --python $(or $(3),.venv-$(1))/bin/python \
	--constraint constraints/airflow-$(1).txt --build-constraint constraints/airflow-$(1).txt \
	"apache-airflow==$(call airflow_for,$(1))" --editable '.[$(2)]'

PY := .venv-3.3/bin/python
# What to give pytest, for example: make test PYTEST_ARGS='tests/emulator -k login'
PYTEST_ARGS ?=
# How many processes the tests of one Airflow line are spread over; 0 is one. Three fit two cores, as the tests of a
# whole Airflow mostly wait.
TEST_PROCESSES ?= 3
# What runs them; SlipCover counts what they reach.
PYTEST ?= pytest
pytest = -m $(PYTEST) --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: .venv-3.3/.runtime ## Run the example DAGs in a real Airflow against the emulator, and print what they cost.
	@$(PY) -m demo

.PHONY: up
up: .venv-3.3/.runtime ## Start the emulator and Airflow with connection, files and example DAGs, until Ctrl-C; keeps its data.
	@exec $(PY) -m demo.up

.PHONY: test
test: .venv-3.3/.installed ## Run the tests on Airflow 3.3.
	@$(PY) $(pytest)

.PHONY: test-2.11
test-2.11: .venv-2.11/.installed ## Run the tests on Airflow 2.11.
	@.venv-2.11/bin/python $(pytest)

.PHONY: test-hosts
test-hosts: .venv-3.3/.installed ## Play 100 rounds of many hosts that sign in at the same moment (half an hour).
	@QUATRIX_TEST_ROUNDS=100 $(PY) -m pytest -s --show-capture=no -p no:logging --timeout=3600 tests/sessions/test_many_hosts.py

# What the tests of a whole Airflow play in small.
SCALE_TESTS := $(addprefix tests/system/test_system_,sharing.py captcha.py watchers.py)

.PHONY: test-scale
test-scale: .venv-3.3/.installed ## Let 200 tasks, 1,000 sensors and 500 files meet one Airflow; kill triggerers (ten minutes).
	@QUATRIX_TEST_SCALE=1 $(PY) -m pytest $(SCALE_TESTS)

.PHONY: test-distributed
test-distributed: ## Let a cluster of many hosts run on this machine, as root, and count what it costs (ten minutes).
	@$(or $(call python_for,3.3),python3) -m testing.lab.needs
	@$(MAKE) .venv-distributed-3.3/.installed .venv-distributed-2.11/.installed
	@exec .venv-distributed-3.3/bin/python -m testing.lab

.PHONY: test-distributed-2.11
test-distributed-2.11: ## Let Airflow 2.11 with PostgreSQL run 400 tasks on a host of that kind (three minutes).
	@$(or $(call python_for,3.3),python3) -m testing.lab.needs
	@$(MAKE) .venv-distributed-3.3/.installed .venv-distributed-2.11/.installed
	@exec .venv-distributed-3.3/bin/python -m testing.lab older

.PHONY: lint
lint: .venv-3.3/.installed ## Check style, types, import contracts and the Dockerfile.
	.venv-3.3/bin/ruff check
	.venv-3.3/bin/ruff format --check
	.venv-3.3/bin/mypy
	.venv-3.3/bin/lint-imports --config setup.cfg
	.venv-3.3/bin/hadolint docker/Dockerfile

.PHONY: bench
bench: .venv-3.3/.installed ## Measure, and write docs/benchmarks.md.
	$(PY) -m bench --write

.PHONY: pictures
pictures: chromium .venv-3.3/.installed ## Take the pictures of the docs from a real run, in headless Chromium.
	$(PY) -m demo.pictures

.PHONY: wheel
wheel: .venv-3.3/.installed ## Build the wheel into dist/.
	rm -rf build dist
	.venv-3.3/bin/uv build --quiet --wheel --build-constraint constraints/airflow-3.3.txt --out-dir dist
	@ls dist/*.whl

# With the lowest versions of what setup.cfg requires; of the rest those that the Airflow line pins.
LOWEST_TESTS := tests/api tests/sessions/test_sessions_record.py tests/sessions/test_sessions_host.py \
	tests/sessions/test_broker_sessions.py tests/fs/test_fs_reading.py tests/fs/test_fs_writing.py tests/fs/test_fs_tree.py
# These use other providers as well, and so run with the pinned versions too.
LOWEST_AIRFLOW_TESTS := tests/hooks tests/operators/test_session_operators.py tests/operators/test_file_operators.py

.PHONY: test-lowest
test-lowest: .venv-lowest/.installed ## Run tests of API, sessions, fsspec, hook and operators with the lowest versions that setup.cfg allows.
	@# Old versions of others warn about each other.
	.venv-lowest/bin/python $(pytest) -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning $(LOWEST_TESTS) \
	$(LOWEST_AIRFLOW_TESTS)

.PHONY: check-wheel
check-wheel: wheel ## Install the wheel next to each Airflow line and try its entry points.
	$(PY) .ci/check_wheel.py dist/*.whl 3.3 $(call python_for,3.3)
	$(PY) .ci/check_wheel.py dist/*.whl 2.11 $(call python_for,2.11)

.PHONY: chromium
chromium: ## Install what the browser tests need (Debian, as root).
	@.ci/install_chromium

.PHONY: ci
ci: chromium .venv-3.3/.installed .venv-2.11/.installed ## Run all checks on both Airflow lines.
	$(MAKE) lint
	$(MAKE) test PYTEST='slipcover --json --out .coverage.json -m pytest' PYTEST_ARGS=--durations=25
	@# Apart, as SlipCover 1.1 prints a table without the tests' processes where it has checked the figure itself.
	$(PY) -m slipcover --merge .coverage.json --out .coverage.json --fail-under 95
	@# These know no Airflow, as the contracts say; test-lowest has an environment of this line too.
	$(MAKE) test-2.11 PYTEST_ARGS='-m "not bench and not emulator and not rclone and not transfers" $(LOWEST_TESTS:%=--ignore=%)'
	$(MAKE) test-lowest
	$(MAKE) check-wheel

.PHONY: constraints
constraints: .venv-3.3/.uv ## Resolve the pinned versions of both Airflow lines anew.
	for line in 3.3 2.11; do \
	file=constraints/airflow-$$line.txt; \
	printf '%s\n' "$$(grep '^apache-airflow==' $$file)" setuptools uv | \
	.venv-3.3/bin/uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade --quiet \
	--all-extras setup.cfg - --output-file $$file; \
	done

.PHONY: clean
clean: ## Remove everything that make has made.
	rm -rf .venv-3.3 .venv-2.11 .venv-lowest .venv-distributed-3.3 .venv-distributed-2.11 .demo .up .lab build dist *.egg-info .coverage.json .mypy_cache .ruff_cache \
	.pytest_cache .import_linter_cache

.PRECIOUS: .venv-%/.uv
.venv-%/.uv: constraints/airflow-%.txt
	@test -n "$(call python_for,$*)" || { echo "Airflow $* needs Python 3.11 to 3.$(NEWEST_$*), and none was found as" \
	"$(or $(PYTHON),python3 or python3.N) with venv (Debian: python3-venv). Install one, or name one: make PYTHON=/usr/bin/python3.11" >&2; exit 1; }
	test -x .venv-$*/bin/python || $(call python_for,$*) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --constraint $< uv
	touch $@

# Only what the demo needs, so that a first look is not long in coming.
.PRECIOUS: .venv-%/.runtime
.venv-%/.runtime: .venv-%/.uv setup.cfg pyproject.toml
	$(call install,$*,$(shell echo emulator,demo))
	touch $@

.PRECIOUS: .venv-%/.installed
.venv-%/.installed: .venv-%/.uv setup.cfg pyproject.toml
	$(call install,$*,$(shell echo emulator,test,lint,bench))
	touch .venv-$*/.runtime $@

.venv-lowest/.installed: .venv-2.11/.uv setup.cfg pyproject.toml .ci/lowest_constraints.py
	.venv-2.11/bin/uv venv --quiet --clear --python .venv-2.11/bin/python $(@D)
	.venv-2.11/bin/python .ci/lowest_constraints.py 2.11 > $(@D)/constraints.txt
	.venv-2.11/bin/uv pip install --quiet --python $(@D)/bin/python --resolution lowest-direct \
	--constraint $(@D)/constraints.txt --build-constraint constraints/airflow-2.11.txt --editable '.[emulator]'
	.venv-2.11/bin/uv pip install --quiet --python $(@D)/bin/python --constraint $(@D)/constraints.txt \
	playwright psutil pytest pytest-timeout pytest-xdist slipcover statsd
	touch $@

# Of their own, as providers that are installed change what the tests see. The lab's hosts cannot write byte code.
.PRECIOUS: .venv-distributed-%/.installed
.venv-distributed-%/.installed: .venv-%/.uv setup.cfg pyproject.toml
	test -x $(@D)/bin/python || .venv-$*/bin/uv venv --quiet --python .venv-$*/bin/python $(@D)
	$(call install,$*,$(shell echo emulator,distributed),$(@D)) --compile-bytecode
	touch $@
