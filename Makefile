# PYTHON: a Python 3.12 or newer; ARGS: what `python -m pipeline lab demo --help` and `tox --help` offer.
PYTHON ?= python3
VENV := .venv
ARGS ?=

.PHONY: help demo test install clean

help:
	@echo "make demo     run the whole pipeline on this machine (ARGS=--keep leaves it running, ARGS=--page shows it)"
	@echo "make test     run every check and test (ARGS='-e unit' runs one floor)"
	@echo "make install  make the environment for \`.venv/bin/python -m pipeline\`, and no more"
	@echo "make clean    remove what these made"

demo: $(VENV)/pipeline
	@$(VENV)/bin/python -m pipeline lab demo $(ARGS)

install: $(VENV)/pipeline

test: $(VENV)/dev
	@$(VENV)/bin/python tests/run.py $(ARGS)

$(VENV)/pipeline $(VENV)/dev: $(VENV)/%: requirements/%.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { \
	  echo "$(PYTHON) is missing or older than Python 3.12: install that, or name it with PYTHON=…" >&2; exit 2; }
	@echo "Making the virtual environment $(VENV) (some 20 seconds) …"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/lock.txt
	@$(VENV)/bin/uv pip install -q --python $(VENV)/bin/python --require-hashes -r $< || { \
	  echo "uv could not install it; trying pip, which reads pip's own configuration …" >&2; \
	  $(VENV)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<; }
	@touch $@

clean:
	@test ! -f .work/demo/kept.json || $(VENV)/bin/python -m pipeline lab down
	find pipeline tools lambda_src tests bench -name __pycache__ -prune -exec rm -rf {} +
	rm -rf $(VENV) .tox .work .mypy_cache .ruff_cache .pytest_cache .hypothesis
