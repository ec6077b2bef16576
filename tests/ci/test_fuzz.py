"""A bounded part of the fuzz: nothing but an answer or one sentence, from every reader."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ci.fuzz import FINE, Outcome, attempt, table
from ci.fuzzing.cases import Case
from lvm_gates.harness.base.errors import UserError

ROOT = Path(__file__).parents[2]


def test_files_and_checkpoints(tmp_path):
    """In a process of its own, since its limits of memory are for good."""
    asked = [sys.executable, "-m", "ci.fuzz", "--count", "60", "--only", "npz", "--only", "table"]
    asked += ["--only", "checkpoint", "--seed", "1"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| npz | 60 |" in done.stdout
    assert "| table | 60 |" in done.stdout
    assert "| checkpoint | 60 |" in done.stdout


def test_graphs(tmp_path, monkeypatch):
    """Some files of the formats that are made quickly; torch.export takes seconds to import."""
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    found = [attempt("graph", number, 1) for number in (0, 2, 3, 5)]
    assert [one for one in found if one.outcome not in FINE] == []
    assert {one.name.partition(":")[0] for one in found} == {".pt", ".onnx"}


@pytest.mark.parametrize("kind", ["traceback", "wrong data", "slow", "memory", "not one sentence", "code run", "died"])
def test_only_an_answer_or_a_refusal_is_fine(kind):
    assert kind not in FINE
    head, _, row = table([Outcome("npz", 0, "x", kind, "")] * 2).splitlines()
    cells = dict(zip(head.split("|"), row.split("|"), strict=True))
    assert cells[f" {kind} "] == " 2 "


FAULTS = {
    "traceback": lambda: 1 / 0,
    "wrong data": lambda: "something else",
    "slow": None,
    "memory": lambda: str(np.ones(500 << 20, dtype=np.uint8)[0]),
    "not one sentence": None,
    "code run": None,
}


@pytest.mark.parametrize("kind", FAULTS)
def test_every_outcome_can_be_seen(kind, monkeypatch):
    """A fuzz that reported nothing whatever happened would be of no use."""

    def make(number: int, rng: np.random.Generator, folder: Path, marker: Path) -> Case:
        def said():
            raise UserError("One sentence.", "And another.")

        read = (
            FAULTS[kind]
            or {
                "slow": lambda: str(sum(range(5_000_000))),
                "not one sentence": said,
                "code run": marker.mkdir,
            }[kind]
        )
        return Case(
            "made here",
            "same" if kind == "wrong data" else "any",
            read,
            "the truth",
            slow=0.02 if kind == "slow" else 60,
        )

    monkeypatch.setattr("ci.fuzz.maker", lambda kind: make)
    assert attempt("npz", 0, 0).outcome == kind
