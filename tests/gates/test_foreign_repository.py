"""`lvm-gate` inside a repository that has everything we have under the same names, and a hostile pytest set-up."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from ci.hostile_repository import HOSTILE, files_in, make_repository
from lvm_gates.gates.options import OPTIONS, SESSION_OPTIONS, as_arguments

SMALL = ("--max-samples=120", "--horizon=3", "--corpus=worlds/arrow")


@pytest.fixture
def repository(tmp_path, arrow):
    """Their repository, with a model of theirs that knows the small world by heart."""
    root = tmp_path / "theirs"
    make_repository(root)
    shutil.copytree(arrow, root / "worlds" / "arrow")
    return root


def lvm_gate(repository, *arguments):
    environment = os.environ | HOSTILE
    command = [sys.executable, "-m", "lvm_gates.gates.command", *arguments]
    return subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_a_model_of_theirs_is_gated_and_nothing_else_of_theirs_is_touched(repository):
    before = files_in(repository)
    given = ["python:models.mine:factory", *SMALL, "--device=cpu", "--report=out", "-n", "1", "-q"]
    done = lvm_gate(repository, *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RELEASE  python:models.mine:factory" in done.stdout
    report = {"out", "out/scorecard.json", "out/samples.npz", "out/scorecard.html"}
    assert files_in(repository) - before == report
    card = json.loads((repository / "out" / "scorecard.json").read_text())
    assert card["arguments"]["given"] == given
    assert card["arguments"]["resolved"]["max_samples"] == 120


def test_their_code_may_run_in_the_same_process(repository):
    before = files_in(repository)
    done = lvm_gate(repository, "python:models.mine:LastFrame", *SMALL, "--in-process", "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BLOCKED" in done.stdout
    assert files_in(repository) == before


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no --model: nothing would be gated"),
        (["--max-sample=60", "control:oracle"], "No such option '--max-sample'"),
        (["--max-samples=many", "control:oracle"], "'many' is not a valid integer"),
        (["absent.pt"], "absent.pt: no such checkpoint"),
    ],
)
def test_an_error_of_use_ends_as_in_pytest(tmp_path, given, said):
    done = lvm_gate(tmp_path, *given)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_every_option_of_the_table_is_one_of_pytest(request):
    """`lvm-gate` hands on what its own parser has read; pytest must know each of them by that name."""
    for option in (*OPTIONS, *SESSION_OPTIONS):
        one = "no" if option.dest in ("tb", "color") else "7"
        value = {"value": one, "values": ["-a", one], "switch": True, "count": 2}[option.kind]
        words = as_arguments(option, value)
        parsed, unknown = request.config._parser.parse_known_and_unknown_args(words)
        assert words, option
        assert not unknown, option
        if option in OPTIONS:
            expected = option.type(one) if option.kind == "value" else value
            assert getattr(parsed, option.dest) == expected, option
