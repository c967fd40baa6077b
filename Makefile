# make demo        takes one machine's month from the spindle to the paid invoice; its pages stay up until Ctrl-C
#                  RECORDING=file  another recording   ONCE=1  end after the summary   PORT=n  another port
#                  DAY=2018-05-29  only this day of the recording
#                  RESET=1  begin anew   REMOVE=1  remove what the demo made
# make test        sets up what the tests need and runs them all   WORKERS=0  one at a time
# make setup       only makes .venv (with .venv/bin/spindleshare)
# make screenshots takes the README's pictures anew
# make clean       removes .venv and caches (the demo's data stays: make demo REMOVE=1)

.DEFAULT_GOAL := help
.PHONY: help setup test-setup demo test lint screenshots requirements clean

BIN := .venv/bin
#: Set and not 0.
given = $(filter-out 0,$($(1)))
PICTURES := sme-desktop-light,maker-desktop-light,finance-desktop-light,invoice-phone-dark
DEMO := $(if $(RECORDING),--recording '$(RECORDING)') $(if $(DAY),--day '$(DAY)') $(if $(PORT),--port '$(PORT)') \
	$(if $(call given,ONCE),--once) $(if $(call given,RESET),--reset) $(if $(call given,REMOVE),--remove)

help:
	@sed -n 's/^# //p' Makefile

setup:
	@scripts/setup.sh demo

demo: setup
	@$(BIN)/spindleshare demo $(DEMO)

test-setup:
	@scripts/setup.sh test
	@scripts/test_tools.sh

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

#: Files side by side, each in one worker with a database server of its own: tests wait more than they compute.
WORKERS := auto
test: test-setup lint
	$(BIN)/pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist loadfile $(ARGS)

#: The few that the README shows; all of them: .venv/bin/python -m workbench.screenshots
PICTURES := sme-desktop-light,maker-desktop-light,finance-desktop-light,invoice-phone-dark
screenshots: test-setup
	@$(BIN)/python -m workbench.screenshots --only $(PICTURES)

#: Choose and pin newer versions, for every platform, with hashes and without naming an index.
requirements: test-setup
	@scripts/requirements.sh

clean:
	rm -rf .venv .venv.log tests/node/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf *.egg-info build
	find app billing machine_agents metering sandbox tests workbench alembic -name __pycache__ -type d -prune -exec rm -rf {} +
