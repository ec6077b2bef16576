"""`python -m` on a module with a command in it is that command: it never prints nothing and exits 0."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(("program", "target"), PROJECT["scripts"].items())
def test_it_is_the_program(program, target):
    command = [sys.executable, "-m", target.partition(":")[0]]
    helped = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert helped.returncode == 0, helped.stderr
    assert helped.stdout.startswith(f"Usage: {program} ")
    wrong = subprocess.run([*command, "--no-such-option"], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "--no-such-option" in wrong.stderr
