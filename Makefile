# make repro: set everything up, run the main job on the embedded data, say where the report is.
# make test:  set everything up, pass the tests. make test-fast: those that take a moment.
# The newest of python3.13, python3.12, python3.11 and python3 that serves (.ci/python); or make PYTHON=/path/to/python.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export NO_ALBUMENTATIONS_UPDATE := 1
unexport PYTHONHOME  # of another Python: none of this one's modules would be found
unexport PYTHONDONTWRITEBYTECODE  # images set it; here a stage and many a test is a process, and compiles all anew

.PHONY: setup repro repro-all bench zoo picture test test-fast test-long mutants lint clean
.DEFAULT_GOAL := repro

setup: $(READY)

# The lock is hash-pinned; compiled bytecode halves every start. -I: no PYTHONPATH, PYTHONHOME or user site.
$(READY): requirements.lock requirements-uv.lock pyproject.toml papertally/pyproject.toml .ci/install.py
	rm -f $(READY)
	test -x $(BIN)/python || { python="$$(.ci/python $(PYTHON))" && "$$python" -I -m venv $(VENV); }
	$(BIN)/python -I .ci/install.py
	@touch $(READY)

repro: $(READY)
	@python -m pipelines.repro

# Every row of every table.
repro-all: $(READY)
	@python -m pipelines.repro --all

# Side-by-side ratios, written to results/bench/ and shown on the report.
bench: $(READY)
	python -m pipelines bench

# The counter against torch's own over a few hundred of timm's networks, and how published costs were counted.
zoo: $(READY)
	python -m studies.zoo
	python -m studies.published

# The README's picture of the report's first screen; needs Chromium.
picture: $(READY)
	python -m report
	python -m report.screenshot

# A worker a core, one thread each; tests of one file share what they set up, so a file stays with its worker. The
# longest come first (tests/conftest.py); xdist by itself begins with the files of most tests.
PYTEST = OMP_NUM_THREADS=1 python -m pytest -n auto --dist loadgroup --no-loadscope-reorder

test: $(READY)
	$(PYTEST) -m "not long"

# Real daemons (Slurm, S3), whole runs killed and resumed, mim's own training, other processors: CI runs them too.
test-long: $(READY)
	$(PYTEST) -m long

# Without what takes over half a second a test: the loop to work in.
test-fast: $(READY)
	$(PYTEST) -m "not slow and not long"

# Change the verdicts' code in every small way; the tests must notice.
mutants: $(READY)
	rm -rf mutants
	mutmut run > mutmut.log 2>&1 || { tail -n 40 mutmut.log; exit 1; }
	mutmut export-cicd-stats
	python tests/mutation.py

lint: $(READY)
	ruff check .
	ruff format --check --quiet .
	mypy
	zizmor --offline --quiet .github
	for paper in papers/*/; do papertally ledger "$$paper" || exit 1; done

clean:
	rm -rf $(VENV) data work_dirs checkpoints report/out
