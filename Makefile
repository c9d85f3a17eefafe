# The commands of the project. Everything happens inside .venv; `make demo` is all a newcomer needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# A process per CPU; eight already keep llvmpipe's own threads busy, and each takes memory.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 8
# `make test COVERAGE=1` also measures coverage, and fails below the floor in pyproject.toml.
COVER := $(if $(COVERAGE),--cov --cov-report=term)
# Of `make soak`. SEED=... starts with the case of that seed.
MINUTES ?= 120

.PHONY: blender demo test test-fast test-oldest test-resolve test-on test-zink compare-demo soak coverage check format bench docs pictures release setup system-gl clean

demo: system-gl
	$(BIN)/ddepth demo -o out/demo

test: setup check
	$(PYTEST) $(COVER)

coverage: setup
	$(PYTEST) --cov --cov-report=term

test-fast: setup
	$(PYTEST) -m "not slow and not soak"

soak: setup
	$(PYTEST) -m soak --soak-minutes $(MINUTES) $(if $(SEED),--soak-seed $(SEED))

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lower bounds of pyproject.toml, each of them at once.
test-oldest: system-gl
	PYTHON="$(PYTHON)" scripts/test-oldest

# Whether everything can be installed beside PyTorch and NumPy 1.26; installs nothing.
test-resolve:
	@PYTHON="$(PYTHON)" scripts/test-resolve

# `make test-on SUITE=trixie`: the README's two commands on a fresh Debian or Ubuntu; needs root.
# BY=user: as an ordinary user; RUN=demo: not the tests.
test-on:
	@scripts/test-on "$(SUITE)" "$(or $(BY),root)" $(RUN)

# The fast tests on zink over lavapipe, which compiles all shaders by way of Vulkan. TESTS=tests/test_peel.py:
# only these. On an older Debian: make test-on SUITE=trixie RUN=test-zink
test-zink: setup
	scripts/zink $(VENV) $(PYTEST) -m "not slow and not soak" $(TESTS)

# `make compare-demo A=bookworm B=trixie`: whether `make test-on` got the same arrays, bit for bit, on both.
compare-demo:
	@: $(if $(and $(A),$(B)),,$(error give two suites that make test-on has run on: make compare-demo A=bookworm B=trixie))
	@diff out/test-on/$(A).arrays out/test-on/$(B).arrays
	@echo "$(A) and $(B): $$(wc -l < out/test-on/$(A).arrays) arrays, bit for bit alike"

# The site, out/site/index.html. A warning or a link that leads nowhere is an error.
docs: $(VENV)/installed-docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -d out/site-cache docs out/site
	@echo "out/site/index.html"

# The extension of Blender, out/blender/double_depth-VERSION.zip, with the wheels that it brings.
blender: setup
	$(BIN)/python scripts/build_blender

# The pictures of README and docs: each script draws those that its PICTURES names.
pictures: setup
	for script in scripts/draw_*.py; do $(BIN)/python $$script || exit 1; done

# `make bench BENCH=--write` puts what it measures into docs/measurements.md. Peers come with the extra [bench].
bench: setup
	$(BIN)/python benchmarks/sheets.py $(BENCH)
	$(BIN)/python benchmarks/layers.py --engine raster $(BENCH)
	$(BIN)/python benchmarks/layers.py --engine compute $(BENCH)
	$(BIN)/python benchmarks/photo.py $(BENCH)
	$(BIN)/python benchmarks/peers.py $(BENCH)
	$(BIN)/python benchmarks/dense.py $(BENCH)
	$(BIN)/python benchmarks/small_meshes.py $(BENCH)
	$(BIN)/python benchmarks/loading.py $(BENCH)
	$(BIN)/python benchmarks/throughput.py $(BENCH)
	$(BIN)/python benchmarks/dataset.py $(BENCH)
	$(BIN)/python benchmarks/viewer_images.py $(BENCH)

# `make release VERSION=0.4.0`: all but the upload, whose command it prints. DRY_RUN=1: in a copy that is thrown
# away. PYTHONS="python3.10 python3.13": interpreters to try the packages with. STEP=build: one step.
release: $(VENV)/installed-release
	@$(BIN)/python packaging/release.py "$(VERSION)" $(if $(STEP),--step "$(STEP)") $(if $(DRY_RUN),--dry-run) --pythons "$(PYTHONS)"

setup: $(VENV)/installed-dev system-gl

$(VENV)/installed: pyproject.toml
	PYTHON="$(PYTHON)" scripts/make-venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[cli]"
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

$(VENV)/installed-release: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[release]"
	touch $@

system-gl: $(VENV)/installed
	@scripts/system-gl $(VENV)

clean:
	rm -rf $(VENV) out dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage
