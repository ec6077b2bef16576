"""With a model named, 0 means released: not listed, planned, selected away or shown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# One process for all of them: importing the engine takes longer than any of these sessions.
SCRIPT = """
import json, os, sys
import pytest
common, modes = json.loads(sys.argv[1])
codes = {}
for mode in modes:
    os.environ["PYTEST_ADDOPTS"], options = mode
    codes[" ".join(mode)] = int(pytest.main([*common, *options.split()]))
json.dump(codes, open(sys.argv[2], "w"))
"""
# (PYTEST_ADDOPTS, options): what pytest can be asked to do instead of running the gates.
INSTEAD = [
    ("", "--co"),
    ("--co", ""),
    ("--collect-only -q", ""),
    ("", "--co -n 2"),
    ("", "--fixtures"),
    ("", "--fixtures-per-test"),
    ("", "--markers"),
    ("--markers", ""),
    ("", "--cache-show"),
    ("", "--version --version"),
    ("", "--help"),
    ("", "--setup-plan -k VAL"),
    ("", "-k nothing_is_called_this"),
    ("", "-p no:python"),
]


@pytest.fixture(scope="module")
def codes(arrow, tmp_path_factory):
    """Mode -> exit code, and what was said."""
    folder = tmp_path_factory.mktemp("codes")
    common = [str(ROOT / "gates"), "-q", "--model=control:oracle", f"--corpus={arrow}", "--max-samples=40"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([common, INSTEAD]), str(folder / "codes.json")],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "codes.json").read_text()), done.stderr, folder


@pytest.mark.parametrize("mode", INSTEAD)
def test_a_model_that_was_not_gated_is_no_success(codes, mode):
    assert codes[0][" ".join(mode)] != 0


def test_it_is_said_why(codes):
    _, said, folder = codes
    assert "not every required gate ran, so nothing is released" in said
    assert "Traceback" not in said
    assert not list(folder.glob("lvm-gates-*"))


def test_help_without_a_model_is_help(run_gates):
    done = run_gates("--help")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--articles-npz" in done.stdout
