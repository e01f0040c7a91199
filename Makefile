# Every target but `lock` and `clean` builds the environment from requirements.lock first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo reproduce test lint types docs bench dist lock clean

demo: .venv/ready
	$(BIN)/inertial compare digits --seeds 3 --steps 100

reproduce: .venv/ready
	$(BIN)/inertial reproduce all --scale quick --out reproduced

test: lint types
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

# In one process: of several at once, two kernels may take one port, and a fifth of two minutes is saved.
docs: .venv/ready
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "documentation: docs/_build/html/index.html"

bench: .venv/ready
	$(BIN)/python -m benchmarks --write docs/benchmarks.md --json docs/benchmarks.json

# A wheel made from the sdist alone, installed into a bare environment, does the main job there.
dist: .venv/ready
	rm -rf dist
	$(BIN)/python -m hatchling build -t sdist
	cd dist && tar xzf *.tar.gz && cd inertial-*/ && $(CURDIR)/$(BIN)/python -m hatchling build -t wheel -d ..
	rm -r dist/inertial-*/
	$(PYTHON) -m venv dist/bare
	dist/bare/bin/pip install --quiet dist/*.whl
	cd dist && bare/bin/inertial tune digits --n 100
	rm -r dist/bare

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
