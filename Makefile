# Two commands do everything: `make run` (set-up and the main job) and `make test` (set-up and all tests).
.DEFAULT_GOAL := help
.PHONY: help run test test-long test-bi test-spark lint docs bench lock setup setup-spark ui bi notebooks clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BI := bi/.venv
BI_INSTALLED := $(BI)/.installed
SPARK := .venv-spark
SPARK_INSTALLED := $(SPARK)/.installed
PARSED := dbt_project/target/manifest.json
DBT_SOURCES := $(shell find dbt_project orchestration/contracts orchestration/registry \
  -path dbt_project/target -prune -o \( -name '*.sql' -o -name '*.yml' -o -name '*.py' \) -print)

# Notebooks run in their own folder: they are told in full where the warehouse is.
notebooks: export WAREHOUSE_HOME := $(abspath $(or $(WAREHOUSE_HOME),data))

# Byte code is compiled once, at install: uncompiled, the imports alone take longer than the job.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(INSTALLED) $(PARSED) ## create the environment and parse the dbt project

$(INSTALLED): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	# pip installs only uv, by its entry in the lock; uv is fast and compiles byte code in parallel.
	awk '/^uv==/ {found = 1} found {print} found && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# PySpark is half a gigabyte, and few need it: an environment of its own, with all of the plain one.
setup-spark: $(SPARK_INSTALLED) ## create the environment in which the models run on Spark

$(SPARK_INSTALLED): requirements-spark.lock pyproject.toml | $(INSTALLED)
	test -x $(SPARK)/bin/python || $(PYTHON) -m venv $(SPARK)
	$(BIN)/uv pip sync --quiet --python $(SPARK)/bin/python --require-hashes --compile-bytecode requirements-spark.lock
	$(BIN)/uv pip install --quiet --python $(SPARK)/bin/python --no-deps --no-build-isolation --editable .
	touch $@

$(PARSED): $(INSTALLED) $(DBT_SOURCES)
	$(BIN)/python -m orchestration.transform.parse

run: setup ## set-up, then the main job on the embedded baseline
	$(BIN)/warehouse run

test: setup ## set-up, then every test; each file in one process; a third one works while others wait
	$(BIN)/python -m pytest -m "not long and not superset and not spark" --numprocesses 3 --dist loadfile

test-long: setup ## crash, soak and simulation checks at full count
	$(BIN)/python -m pytest -m long --numprocesses 2 --dist worksteal

test-bi: $(BI_INSTALLED) $(PARSED) ## Superset in a browser, with screenshots in data/screenshots
	$(BIN)/python -m pytest -m superset

test-spark: setup-spark $(PARSED) ## the models on Spark, alone and on a cluster of two workers, against DuckDB
	$(SPARK)/bin/python -m pytest -m spark

lint: setup ## ruff, mypy, import-linter, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models

docs: setup ## write the pages of docs/ that are made: upstream faults, coverage, data dictionary
	rm -f data/upstream-faults.jsonl
	$(BIN)/python -m pytest --quiet tests/integration/test_upstream_*.py
	$(BIN)/python -m tests.upstreams.matrix > docs/upstream-faults.md
	$(BIN)/python -m orchestration.dictionary > docs/dictionary.md
	# Of the baseline alone, whatever the warehouse at hand has landed beside it.
	rm -rf data/of-baseline
	WAREHOUSE_HOME=data/of-baseline $(BIN)/warehouse run
	WAREHOUSE_HOME=data/of-baseline $(BIN)/python -m orchestration.coverage > docs/coverage.md
	rm -rf data/of-baseline

# Half an hour for the largest, and 40 GB of disk; nothing else should run meanwhile.
BENCH_ROWS ?= 1000000 5000000 20000000 50000000
bench: setup ## how far one machine goes: time and memory by price rows, beside a plain DuckDB script
	$(BIN)/python -m bench $(addprefix --rows ,$(BENCH_ROWS))
	$(BIN)/python -m bench.report --plot docs/scale.svg

ui: setup ## the Dagster web UI on loopback
	$(BIN)/warehouse ui

$(BI_INSTALLED): bi/requirements.lock | $(INSTALLED)
	test -x $(BI)/bin/python || $(PYTHON) -m venv $(BI)
	$(BIN)/uv pip sync --quiet --python $(BI)/bin/python --require-hashes --compile-bytecode bi/requirements.lock
	touch $@

bi: $(BI_INSTALLED) ## the dashboards in Superset on loopback, in an environment of their own
	$(BI)/bin/python -m bi.serve

# Loopback only, behind Jupyter's token. Switched off is what asks the network for news, updates and
# extensions.
notebooks: setup ## JupyterLab on loopback with the notebooks, on the current release
	@test -e "$(WAREHOUSE_HOME)/published/current" || \
	  { echo "no release in $(WAREHOUSE_HOME): making the first one"; $(BIN)/warehouse run; }
	@$(BIN)/jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements
	$(BIN)/jupyter lab --ip=127.0.0.1 --ServerApp.root_dir=$(CURDIR) \
	  --LabApp.default_url=/lab/tree/notebooks/first_look.ipynb \
	  --LabApp.extension_manager=readonly \
	  $(if $(filter 0,$(shell id -u)),--allow-root)

lock: ## pin every dependency with hashes, without index addresses
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra notebooks --extra s3 --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements.lock
	$(BIN)/uv pip compile bi/requirements.in --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file bi/requirements.lock
	# The versions of the plain environment, where Spark allows them.
	cp requirements.lock requirements-spark.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra spark --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements-spark.lock

clean: ## remove the environment and generated files, keep the warehouse's data
	rm -rf $(VENV) $(SPARK) $(BI) dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache
