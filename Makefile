# make demo · make test · make serve · make check · make bench · make docs
# Two environments, because they cannot be one: the application (.venv) and the trainer (.venv-trainer), as in its image.
PYTHON ?= python3
BIN := .venv/bin
# of the tests: one a core, each with servers of its own and up to 1.5 GB
PROCESSES := -n auto --maxprocesses 4
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test serve check docs hooks bench install app dev trainer-env sync clean

install: app trainer-env

# a finished environment whose lock files did not change takes no time; one that was cut off is gone on with
app:
	@$(PYTHON) requirements/install.py app .venv

trainer-env:
	@$(PYTHON) requirements/install.py trainer .venv-trainer

dev: install
	@$(PYTHON) requirements/install.py dev .venv

demo: install
	@$(BIN)/astra demo

serve: app
	@$(BIN)/astra serve

test: dev
	@$(BIN)/python -m tests.notebooks --sync --cleared --run
	@$(MAKE) --no-print-directory docs
	@$(BIN)/python -m pytest $(PROCESSES)

# before a commit
check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@$(BIN)/python -m tests.notebooks --sync --cleared --run
	$(BIN)/python -m pytest $(PROCESSES) -m "not slow"

# README, docs/ and the notebooks as pages that need no internet: build/site/index.html
docs: app
	@$(PYTHON) requirements/install.py docs .venv
	@$(BIN)/python docs/build.py

# once per clone: git runs the checks on what changes, and nbdev keeps notebooks mergeable
hooks: dev
	$(BIN)/pre-commit install
	$(BIN)/nbdev-install-hooks

# notebooks -> library, after editing a notebook
sync: dev
	$(BIN)/ruff format nbs
	$(BIN)/nbdev-export
	$(BIN)/nbdev-clean

bench: dev
	@$(BIN)/python -m benchmarks

clean:
	-$(BIN)/astra services down
	rm -rf data build .venv .venv-trainer
