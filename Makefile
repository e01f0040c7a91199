# Every target but `lock` and `clean` builds the environment from requirements.lock first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo reproduce test lint types docs bench lock clean

demo: .venv/ready
	$(BIN)/inertial compare digits --seeds 3 --steps 100

reproduce: .venv/ready
	$(BIN)/inertial reproduce all --scale quick --out reproduced

test: lint types
	$(BIN)/python -m pytest -n 2 -q

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

docs: .venv/ready
	$(BIN)/sphinx-build -q -W --keep-going -j 6 -b html docs docs/_build/html
	@echo "documentation: docs/_build/html/index.html"

bench: .venv/ready
	$(BIN)/python -m benchmarks

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock

clean:
	rm -rf .venv
