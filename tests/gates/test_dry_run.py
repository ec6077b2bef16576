"""`--dry-run`: a line for each model, no verdict, and an exit code that says only whether all can be gated."""

import re
from pathlib import Path

import pytest
import torch

from lvm_gates.gates.dry_run import NOTHING
from lvm_gates.models.registry import build

HERE = Path(__file__).parent
VERDICTS = ("RELEASE", "HOLD", "BLOCKED", "passed")


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    torch.save(build("gru", input_dim=32, output_dim=32, width=16).state_dict(), tmp_path / "m.pt")
    return f"--model={tmp_path / 'm.pt'}"


def test_models_that_can_be_gated(run_gates, arrow, checkpoint):
    models = ["--model=control:oracle", checkpoint, "--model=python:predictors:LastFrame"]
    done = run_gates(*models, f"--corpus={arrow}", "--dry-run", cwd=HERE)
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == NOTHING
    assert len(lines) == 3
    for line in lines:
        assert re.match(
            r"ready  \S+: loads, reads arrow\S* \(32 dimensions, 5 frames\), agrees .* \(\d+\.\d s\)$", line
        )
    assert "assumed: the file is a bare state_dict; architecture gru by shapes" in lines[1]
    assert not any(word in done.stdout for word in VERDICTS)


def test_one_that_cannot_costs_the_exit_code_and_no_other_model(run_gates, arrow, tmp_path):
    torch.save(build("gru", input_dim=8, output_dim=8, width=16).state_dict(), tmp_path / "narrow.pt")
    given = ["absent.pt", str(tmp_path / "narrow.pt"), "python:predictors:BatchMean", "control:linear"]
    done = run_gates(*(f"--model={one}" for one in given), f"--corpus={arrow}", "--dry-run", cwd=HERE)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["FAILS", "FAILS", "FAILS", "ready", "dry"]
    assert "no such checkpoint file" in lines[0]
    assert "reads embeddings of 8 dimensions" in lines[1]
    assert "--corpus" in lines[1]
    assert "change with the batch size" in lines[2]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "said"), [([], "no --model"), (["--model=control:oracle", "--report=out"], "--report")]
)
def test_errors_of_use(run_gates, tmp_path, given, said):
    done = run_gates(*given, "--dry-run", cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
    assert not (tmp_path / "out").exists()
