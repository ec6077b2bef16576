"""`pytest benchmarks/ --model=...`: what a user's model takes, in pytest-benchmark's file, and never a verdict."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lvm_gates.gates.plugin import RUN
from lvm_gates.harness.latency.files import read_latency

ROOT = Path(__file__).parents[2]


def test_a_model_is_timed_beside_the_accepted_one_and_one_that_is_absent_fails(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def last(contexts): return contexts[:, -1]\ndef first(contexts): return contexts[:, 0]\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(ROOT / "benchmarks"),
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    command += ["--model=python:mine:last", "--model=absent.pt", "--accepted=python:mine:first", "--dim=8"]
    command += ["--seconds=0.001", "--benchmark-json=found.json"]
    # pytest-benchmark measures nothing in what it takes for a worker of xdist.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "2 passed, 2 errors" in done.stdout, "two batch sizes each, and nothing but this model's"
    assert "absent.pt: no such file" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    found = read_latency(tmp_path / "found.json")
    assert [(one.batch, one.dim, one.candidate.name, one.accepted.name) for one in found] == [
        (batch, 8, "python:mine:last", "python:mine:first") for batch in (1, 64)
    ]
    assert all(one.candidate.calls.shape == one.accepted.calls.shape for one in found)


class Config:
    """Of a session that has not begun."""

    def __init__(self, *paths, model=("new.pt",)):
        self.args, self.stash = [str(path) for path in paths], pytest.Stash()
        self.option = type("Options", (), {"model": list(model)})()


@pytest.fixture(scope="module")
def conftest():
    spec = importlib.util.spec_from_file_location("benchmarks_conftest", ROOT / "benchmarks" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        spec.loader.exec_module(module)
        yield module


def test_a_model_that_is_timed_is_not_gated(conftest):
    config = Config(ROOT / "benchmarks")
    conftest.pytest_configure(config)
    assert config.option.model is None
    assert config.stash[conftest.TIMED] == ["new.pt"]


def test_a_model_that_is_gated_is_not_timed(conftest):
    with pytest.raises(pytest.UsageError, match="gate a model and time it in two commands"):
        conftest.pytest_configure(Config(ROOT / "benchmarks", ROOT / "gates"))
    begun = Config(ROOT)
    begun.stash[RUN] = None
    conftest.pytest_configure(begun)
    assert begun.option.model == ["new.pt"]


@pytest.mark.parametrize(("models", "timed"), [((), "test_latency.py"), (("new.pt",), "test_model.py")])
def test_the_engine_is_timed_without_a_model_and_a_model_without_the_engine(conftest, models, timed):
    config = Config(ROOT / "benchmarks", model=models)
    conftest.pytest_configure(config)
    collected = {
        file.name: conftest.pytest_ignore_collect(file, config) is None
        for file in (ROOT / "benchmarks").glob("test_*.py")
    }
    assert collected[timed]
    assert collected["test_model.py"] != collected["test_training.py"]
