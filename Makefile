# make demo · make test · make serve · make check · make bench
# Two environments, because they cannot be one: the application (.venv) and the trainer (.venv-trainer), as in its image.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test serve check hooks bench install sync clean

install: .venv/.ready .venv-trainer/.ready

.venv/.ready: requirements.lock requirements.nodeps.lock
	@echo "== application environment (once; about three minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || { echo "Python 3.11 or 3.12 is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -r requirements.lock
	$(BIN)/pip install -q --no-deps -r requirements.nodeps.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

.venv-trainer/.ready: trainer/requirements.lock trainer/requirements.nodeps.lock
	@echo "== trainer environment (once; about two minutes)"
	$(PYTHON) -m venv .venv-trainer
	.venv-trainer/bin/pip install -q -r trainer/requirements.lock
	.venv-trainer/bin/pip install -q --no-deps -r trainer/requirements.nodeps.lock
	@touch $@

demo: install
	@$(BIN)/astra demo

serve: install
	@$(BIN)/astra serve

test: install
	@$(BIN)/python -m tests.notebooks --sync --cleared --run
	@$(BIN)/python -m pytest

# before a commit
check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@$(BIN)/python -m tests.notebooks --sync --cleared --run
	$(BIN)/python -m pytest -m "not slow"

# once per clone: git runs the checks on what changes, and nbdev keeps notebooks mergeable
hooks: install
	$(BIN)/pip install -q pre-commit==4.7.0
	$(BIN)/pre-commit install
	$(BIN)/nbdev-install-hooks

# notebooks -> library, after editing a notebook
sync: install
	$(BIN)/ruff format nbs
	$(BIN)/nbdev-export
	$(BIN)/nbdev-clean

bench: install
	@$(BIN)/python -m benchmarks

clean:
	-$(BIN)/astra services down
	rm -rf data build .venv .venv-trainer
