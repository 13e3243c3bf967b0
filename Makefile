# make run and make test do all their set-up; a second call starts at once.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-slow lint fmt bench clean

run: .venv/run.stamp
	@$(BIN)/flask --app wsgi dev

test: .venv/dev.stamp
	@$(BIN)/python -m pytest -m "not slow" -n 3

test-slow: .venv/dev.stamp
	@$(BIN)/python -m pytest -m "slow and not alone" -n 2 --dist loadfile --durations 15
	@$(BIN)/python -m pytest -m alone

lint: .venv/dev.stamp
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

fmt: .venv/dev.stamp
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: .venv/run.stamp
	@$(BIN)/python -m bench

clean:
	rm -rf .venv

.venv/run.stamp: requirements.txt
	@echo "Setting up .venv (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	@$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@
