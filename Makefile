# make run and make test are all a newcomer needs; each makes .venv from requirements.lock first.
PYTHON ?= python3
PY := .venv/bin/python
UV = $(shell command -v uv || echo .uv/bin/uv)

.PHONY: run bad-day test long lint check bench peers deploy blocks check-warehouse lock docs clean

run: .venv/ready ## a night: a day passes in the demo shop, and is copied, built and judged
	@$(PY) flows/daily.py $(ARGS)

bad-day: .venv/ready ## a night on which the quality gate must fail
	@$(PY) flows/daily.py --bad-day $(ARGS)

# Tests wait for others' processes a good part of their time, so there are more than cores.
TESTS_AT_ONCE ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) * 3 // 2)')
PYTEST = $(PY) -m pytest -n $(TESTS_AT_ONCE) --dist worksteal

test: .venv/ready ## what every change must pass
	@$(PYTEST) $(ARGS)

long: .venv/ready ## what `make test` leaves out: the long forms of tests, most of tests/faults
	@$(PYTEST) -m long $(ARGS)

lint: .venv/ready ## style and types
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

check: lint test

bench: .venv/ready ## our transfer beside every peer that `make peers` installed, nights, Snowflake
	@$(PY) -m tests.bench $(ARGS)
	@$(PY) -m tests.bench.nights
	@$(PY) -m tests.bench.safety
	@$(PY) -m tests.bench.deletes
	@$(PY) -m tests.bench.reconcile
	@$(PY) -m tests.bench.types
	@$(PY) -m tests.bench.rules
	@$(PY) -m tests.bench.analysis
	@$(PY) -m tests.bench.overhead
	@$(PY) -m tests.bench.report
	@$(PY) -m tests.bench.snowflake

peers: .venv/ready ## an environment for each peer of the benchmark
	@for peer in $(basename $(notdir $(wildcard tests/bench/peers/*.py))); do \
	  $(UV) venv -q --clear .bench/$$peer && $(UV) pip install -q --python .bench/$$peer \
	    -r tests/bench/peers/requirements-$$peer.txt || exit 1; done

POOL ?= process
deploy: .venv/ready ## set up PREFECT_API_URL's server for CONFIG: pools of type POOL, and all else
	@$(PY) -m tasks.deploy $(CONFIG) --pool $(POOL)

blocks: .venv/ready ## save the Prefect blocks that CONFIG names, from environment variables
	@$(PY) -m tasks.register $(CONFIG)

check-warehouse: .venv/ready ## try whether a night of CONFIG could run, with harmless statements
	@$(PY) -m tasks.check_warehouse $(CONFIG)

docs: .venv/ready ## write what is generated from the code: the JSON schema and the README's tables
	@$(PY) -m docs.generate

lock: .venv/ready ## resolve pyproject.toml anew
	@$(UV) pip compile -q pyproject.toml --group dev --universal --generate-hashes \
	  --no-annotate --upgrade -o requirements.lock

clean: ## forget the demo's source and warehouse
	rm -rf .daybreak

.venv/ready: requirements.lock pyproject.toml
	@echo "Installing into .venv (once; a minute or two with a cold cache)"
	@command -v uv >/dev/null || test -x .uv/bin/uv || \
	  { $(PYTHON) -m venv .uv && .uv/bin/python -m pip install -qq uv; }
	@test -x $(PY) || $(UV) venv -q --no-python-downloads --python "$$(command -v $(PYTHON))" .venv
	@$(UV) pip sync -q --python $(PY) --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install -q --python $(PY) --no-deps --no-build-isolation -e .
	@$(PY) -m compileall -q flows tasks
	@touch $@
