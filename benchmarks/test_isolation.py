"""What a process of its own costs a user's predictor: a model's evaluation pass, and a whole session with its start.

The reference is the same predictor in the session's own process (`--in-process`).
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import predictors
import pytest
from chunks import random_units

from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.predictors.isolation.predictor import IsolatedPredictor, Isolation
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor

HERE = Path(__file__).parent
DIM = 384
KINDS = ["Mean", "Network"]


@pytest.mark.parametrize("kind", KINDS)
def test_isolated_pass(kind, evaluation, time_ratio):
    """An evaluation pass over 512 windows; the process runs already."""
    judged_on = evaluation(50, 40, DIM, 512)
    name = f"python:predictors:{kind}"
    here = NamedPredictor(Identity(name), getattr(predictors, kind)())
    isolated = IsolatedPredictor(name, "predictors", kind, HERE, Isolation())
    there = NamedPredictor(Identity(name), isolated, only_reads=True)  # as a session has it
    try:
        time_ratio(
            lambda: observe(there, judged_on, batch_size=256),
            lambda: observe(here, judged_on, batch_size=256),
            rounds=9,
        )
    finally:
        isolated.close()


@pytest.mark.parametrize("kind", KINDS)
def test_isolated_session(kind, tmp_path, time_ratio):
    """`pytest gates/` from its start to its exit, 500 windows a split."""
    articles, length = 120, 40
    splits = np.repeat(["TRAIN", "VAL", "OOD"], articles // 3)
    vectors = random_units(articles * length, DIM)
    write_corpus(tmp_path / "corpus", vectors, np.full(articles, length), splits=splits, meta={"kind": "benchmark"})
    command = [sys.executable, "-m", "pytest", str(HERE.parent / "gates"), "-q", "-p", "no:cacheprovider"]
    command += [f"--corpus={tmp_path / 'corpus'}", f"--model=python:predictors:{kind}", "--max-samples=500"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(HERE.parent)

    def session(*more):
        done = subprocess.run(  # noqa: S603
            [*command, *more], cwd=HERE, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != pytest.ExitCode.TESTS_FAILED:  # random vectors: no model passes the gates
            pytest.fail(done.stdout + done.stderr, pytrace=False)

    time_ratio(session, lambda: session("--in-process"), rounds=3)
