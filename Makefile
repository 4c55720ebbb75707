# Every command of the project. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
LOCAL := $(PYTHON) -m deploy.local
SETUP := @deploy/local/prerequisites.sh && PYTHONDONTWRITEBYTECODE=1 python3.11 -m deploy.local.setup

.PHONY: help setup ready up down status logs token demo warehouse recommend evaluate backtest query report test bench-consumer bench-logs bench-warehouse bench-recommendations mutants check format lock clean spark-package flink-package

help: ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## fetch libraries and engines, once; checks every file, takes seconds when they are there
	$(SETUP)

ready:
	$(SETUP) --quiet

up: ready ## start engines and services in the background; prints their addresses
	@$(LOCAL) up

down: ready ## drain the services, stop everything, leave no process
	@$(LOCAL) down

status: ready ## show each engine and service: pid, address, state, CPU, memory, rate, lag (JSON=1 for machines)
	@$(LOCAL) status $(if $(JSON),--json)

logs: ready ## follow the logs of everything that runs
	@$(LOCAL) logs --follow

token: ready ## print a token: ROLE=sender|customer|operator|analyst SUBJECT=name
	@$(LOCAL) token --role "$(ROLE)" --subject "$(SUBJECT)"

demo: ready ## send the real data through the platform, compare every line, print what it took (ONLY=orders)
	@$(LOCAL) demo $(if $(ONLY),--only $(ONLY))

warehouse: ready ## load what has landed into lake and warehouse, compare every line (MAINTAIN=1 tidies up after, JSON=1)
	@$(LOCAL) warehouse $(if $(MAINTAIN),--maintain) $(if $(JSON),--json)

recommend: ready ## train on the lake, judge, put into service; the same lake gives the same lists (FORCE=1, JSON=1)
	@$(LOCAL) recommend $(if $(FORCE),--force) $(if $(JSON),--json)

evaluate: ready ## recommendations beside popularity, kNN, course ALS and `implicit`: table, report with a picture (CUTOFFS=, JSON=1)
	@$(LOCAL) evaluate $(if $(CUTOFFS),--cutoffs $(CUTOFFS)) $(if $(JSON),--json)

backtest: ready ## the order-rate alarm over a recorded year with hidden surges and drops; curve, goals, picture (SEED=n)
	@mkdir -p .local/backtest
	@$(PYTHON) -m flink_jobs.order_rate_alarm backtest --orders data/online_retail.csv.xz \
		--inject $(or $(SEED),$(shell date +%s)) --out .local/backtest/alarms.jsonl --svg .local/backtest/week.svg
	@echo "alarms and picture: .local/backtest/"

# What a question is asked with goes by the environment, where make puts what its command line names: any text may be in it.
QUERY_PARAMETERS := COUNTRY YEAR MONTH FIRST_DAY LAST_DAY TOP LEAST_SOLD LEAST_ORDERS MOST_ARTICLES
given = $(filter command,$(origin $(1)))
lower = $(shell echo $(1) | tr A-Z a-z)

query: ready ## ask the lake: NAME=course COUNTRY=France YEAR=2011 MONTH=3, or SQL="SELECT ...", or nothing for the list (FORMAT=csv|json)
	@$(LOCAL) console query $(if $(call given,SQL),--sql "$$SQL",$(if $(call given,NAME),"$$NAME",--list)) \
		$(foreach name,$(QUERY_PARAMETERS),$(if $(call given,$(name)),--param "$(call lower,$(name))=$$$(name)")) \
		$(if $(call given,FORMAT),--format "$$FORMAT")

report: ready ## write the week's sales report into .local/reports and print its path (WEEK=2011-W48)
	@$(LOCAL) console weekly-report --folder $(or $(CADABRA_LOCAL_DIR),.local)/reports $(if $(call given,WEEK),--week "$$WEEK")

test: ready ## run the tests (TIER=unit|simulation|suites|component|fault|system for one tier)
	@$(PYTHON) -m deploy.local.tiers $(TIER)

bench-consumer: ready ## our consumer group beside async-kinesis: cost, take-over, reshard, loss (QUICK=1, JSON=1)
	@$(PYTHON) -m bench.consumer $(if $(QUICK),--quick) $(if $(JSON),--json)

bench-logs: ready ## our log parser beside GoAccess, Bento and Python libraries: lines right, CPU (QUICK=1, JSON=1)
	@$(PYTHON) -m bench.logs $(if $(QUICK),--quick) $(if $(JSON),--json)

bench-warehouse: ready ## the warehouse's load beside DuckDB and Polars: seconds, memory, growth (QUICK=1, JSON=1)
	@$(PYTHON) -m bench.warehouse $(if $(QUICK),--quick) $(if $(JSON),--json)

bench-recommendations: ready ## our fit and publishing beside `implicit`, growth of time and memory with customers (QUICK=1, JSON=1)
	@$(PYTHON) -m bench.recommendations $(if $(QUICK),--quick) $(if $(JSON),--json)

spark-package: ready ## the archive of the Spark jobs for EMR Serverless, and what a job run is told
	@$(PYTHON) -m deploy.local.spark_package

flink-package: ready ## the zip of the alarm job for Managed Service for Apache Flink
	@$(PYTHON) -m deploy.local.flink_package

mutants: ready ## change the consumer group's core in small ways; a test has to notice each (minutes)
	@$(PYTHON) -m tests.mutation

check: ready ## format, lint, strict types, import rules, contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy contracts services flink_jobs spark_jobs deploy tests
	.venv/bin/lint-imports
	$(PYTHON) -m contracts check

format: ready ## put the code into its form
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: ready ## pin the libraries and the engines anew from their .in files, package.json and pom.xml
	@$(PYTHON) -m deploy.local.relock

clean: down ## remove what runs left behind; environments and engines stay (rm -r .venv .engines for those)
	rm -rf .local .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
