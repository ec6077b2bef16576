"""A session whose models are called whatever a file can be called, in a terminal that knows ASCII, with a worker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lvm_gates.harness.results.reading import read_report
from lvm_gates.models.registry import build

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    "\u6a21\u578b no utf-8 \udcff esc\x1b[31mRED\x1b]0;title\x07 two\nRELEASE  lines.pt",
    "within/../and/../../up [red]$_{x$<b>.pt",
]


@pytest.fixture(scope="module")
def session(arrow, tmp_path_factory):
    """How it ended, and the folder of its report."""
    folder = tmp_path_factory.mktemp("names") / "here"
    for inner in ("within", "and"):
        (folder / inner).mkdir(parents=True)
    network = build("lstm", input_dim=32, output_dim=32, width=8)
    for name in NAMES:
        torch.save({"model_type": "lstm", "model_state_dict": network.state_dict()}, folder / name)
    command = [sys.executable, "-m", "pytest", str(ROOT / "gates"), "-q", "-n", "1", "-p", "no:cacheprovider"]
    command += ["-p", "no:hypothesispytest", f"--corpus={arrow}", "--max-samples=40", "--horizon=2", "--report=out"]
    done = subprocess.run(
        [*command, *(f"--model={name}" for name in NAMES)],
        cwd=folder,
        env=os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=300,
    )
    return done, folder / "out"


def test_each_is_judged_and_the_report_is_whole(session):
    done, out = session
    assert done.returncode == 1, done.stdout + done.stderr
    found = read_report(out)
    # A Python that believes in ASCII spells the same bytes otherwise.
    assert [os.fsencode(model) for model in found.models] == [os.fsencode(name) for name in NAMES]
    assert sorted(file.name for file in out.iterdir()) == ["samples.npz", "scorecard.html", "scorecard.json"]
    assert {card["verdict"] for card in found.scorecard["models"]} <= {"blocked", "hold"}


def test_the_terminal_gets_letters_and_nothing_that_it_obeys(session):
    done, _ = session
    said = (done.stdout + done.stderr).decode("ascii")
    assert not [letter for letter in said if not letter.isprintable() and letter != "\n"]
    assert "Traceback" not in said
    assert "INTERNALERROR" not in said
    assert not [line for line in said.splitlines() if line.startswith("RELEASE")]
