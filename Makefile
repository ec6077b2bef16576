# `make demo` and `make test` need nothing but Python 3.11 or newer; they make their own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN := runs/demo
# The original network is 512 wide and takes minutes an epoch on a CPU; this one learns dataset `switch` in about two.
DEMO_SIZE := --width 128 --layers 2 --heads 4 --lr 1e-3 --epochs 12

# Of docs/reproduced.md: embedded text is no part of the repository; without these the page's first part is left out.
TRAIN_TEXT :=
OOD_TEXT :=
REPRODUCED := runs/reproduced
SMALLER := --width 64 --layers 2 --heads 4 --lr 3e-3 --batch-size 16
REPRODUCE := $(BIN)/python -m ci.reproduce

.PHONY: reproduced bench benchmark-run serve help demo test lint types benchmark mutation clean

help:
	@echo "make demo       set up, train recipe P1 on the embedded dataset, gate it twice"
	@echo "make test       set up and run the test suite"
	@echo "make lint       ruff, and the contracts of who imports whom"
	@echo "make types      mypy, strict on all but gates/"
	@echo "make benchmark  latency as ratios within one run, compared with ci/benchmarks/"
	@echo "make bench      what a verdict costs beside its floor, as a table (docs/speed.md)"
	@echo "make reproduced the tables of docs/reproduced.md, hours; TRAIN_TEXT and OOD_TEXT name embedded text"
	@echo "make mutation   20 mutants of the engine, each of which the tests must notice (docs/mutation.md)"
	@echo "make serve      the demo's model over HTTP, on port 9007 (docs/serving.md)"
	@echo "make clean      remove the environment and what the demo made"

$(STAMP): pyproject.toml ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c ci/constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c ci/constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/lvm-train p1 $(DEMO_SIZE) --out $(RUN) --overwrite
	$(BIN)/pytest gates/ --model=$(RUN)/best_model.pt --report=$(RUN)/report -q
	$(BIN)/pytest gates/ --model=$(RUN)/best_model.pt --profile=skill --report=$(RUN)/skill -q
	@echo "Two verdicts: the five gates, and skill beyond everything that needs no network."
	@echo "Row linear of either table is a ridge regression on the same context: refused."

# The slow tests lie together (tests/gates): dealt out in long runs, they would all go to one worker.
test: $(STAMP)
	$(BIN)/pytest tests -q -n 2 --dist worksteal --jaxtyping-packages=lvm_gates.harness,lvm_gates.models,lvm_gates.trainers,beartype.beartype

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(STAMP)
	$(BIN)/mypy

benchmark: benchmark-run
	$(BIN)/python ci/compare_benchmarks.py runs/benchmark.json

benchmark-run: $(STAMP)
	@mkdir -p runs
	$(BIN)/pytest benchmarks -q -p no:xdist --benchmark-quiet --benchmark-json=runs/benchmark.json

bench: $(STAMP)
	$(BIN)/python -m ci.speed

reproduced: $(STAMP)
	$(REPRODUCE) --corpus wiki-64 --rows ci/collapse.toml --out $(REPRODUCED)/collapse \
		--width 128 --layers 2 --heads 4 --lr 1e-3 --terms
	$(REPRODUCE) --corpus wiki-768 --out $(REPRODUCED)/wiki $(SMALLER)
ifdef TRAIN_TEXT
	$(REPRODUCE) --corpus text $(TRAIN_TEXT:%=--train-text %) $(OOD_TEXT:%=--ood-text %) --out $(REPRODUCED)/text $(SMALLER)
else
	@echo "No text was named, so its part was left out: make reproduced TRAIN_TEXT=\"a.npz b.npz\" OOD_TEXT=c.npz"
endif

mutation: $(STAMP)
	$(BIN)/python -m ci.mutate --count 20 --seed 0 --only 'harness/statistics/*' --only 'harness/audits/*' --only 'gates/*' \
		--only 'harness/judging/*' --only 'harness/base/*' --only 'harness/results/*' --only 'harness/corpus/*' \
		--only 'harness/rivals/family.py' --only 'harness/leaks/[cr]*' --only 'harness/evaluation/perturbations.py'

serve: $(STAMP)
	test -f $(RUN)/best_model.pt || $(BIN)/lvm-train p1 $(DEMO_SIZE) --out $(RUN) --overwrite
	test -f $(RUN)/report/scorecard.json || $(BIN)/pytest gates/ --model=$(RUN)/best_model.pt --report=$(RUN)/report -q
	$(BIN)/lvm-serve $(RUN)/best_model.pt

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
