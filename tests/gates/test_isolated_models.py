"""Sessions with a model that breaks: it is blocked in one sentence, the others are judged, and nothing stays behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lvm_gates.gates.folder import SessionFolder
from lvm_gates.gates.plugin import _share_cores
from lvm_gates.harness.base.errors import UserError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SMALL = ("--max-samples=120", "--horizon=3")


@pytest.mark.parametrize("factory", ["broken_factory", "Leaves"])
def test_a_session_with_nothing_else_to_judge_is_an_error_of_use(make_run, factory):
    with pytest.raises(UserError, match=rf"^python:predictors:{factory}: .*\.$"):
        make_run(f"python:predictors:{factory}")


def test_every_model_broken_is_a_sentence_each(make_run):
    with pytest.raises(UserError) as caught:
        make_run("python:predictors:broken_factory", "python:predictors:Leaves")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "python:predictors:broken_factory",
        "python:predictors:Leaves",
    ]


def test_one_that_breaks_on_one_split_is_blocked_once_and_for_all(make_run, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(HERE)
    name = "python:predictors:Fickle"
    run = make_run(name, in_process=True)
    predictor = run.loaded[name].predictor
    measured = run.observations(name, "VAL")
    assert np.isfinite(measured.cosine).all()
    predictor.broken, predictor.asked = True, 0
    run.prepare()
    assert predictor.asked == 1, "not asked again once it fell over"
    card = run.card(name)
    assert card.faults == (f"{name}: predict() raised RuntimeError: fell over.",)
    assert card.decision.verdict == "blocked"
    assert card.decision.reasons[0] == card.faults[0]
    assert not any(map(card.passed, "ABCDE"))
    # Another process of the session finds the same in the folder, and asks nobody.
    other = make_run("control:oracle")
    assert other.observing.faults(name) == card.faults
    assert np.isnan(other.observations(name, "OOD").cosine).all()
    np.testing.assert_array_equal(other.observations(name, "VAL").cosine, measured.cosine)


def test_in_process_too_a_factory_that_raises_costs_its_model_and_no_other(make_run, observed, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    name = "python:predictors:broken_factory"
    run = make_run("control:oracle", name, in_process=True, beside=observed)
    assert run.observing.faults(name) == (f"{name}: broken_factory() raised ValueError: no weights.",)
    card = run.card(name)
    assert card.decision.verdict == "blocked"
    assert card.decision.reasons[0] == card.faults[0]
    assert run.card("control:oracle").decision.verdict == "release"


def test_in_process_too_a_session_with_nothing_else_to_judge_is_an_error_of_use(make_run, monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    with pytest.raises(UserError, match=r"^python:predictors:broken_factory: broken_factory\(\) raised ValueError"):
        make_run("python:predictors:broken_factory", in_process=True)


def test_a_control_that_breaks_is_our_fault_and_ends_the_session(make_run, monkeypatch):
    from lvm_gates.harness.controls.simple import Ewma

    run = make_run("control:oracle")
    monkeypatch.setattr(Ewma, "predict", lambda self, contexts: contexts)
    with pytest.raises(UserError, match=r"control:persistence: predict\(\) returned float32 of shape"):
        run.prepare()


def test_where_it_runs(make_run, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    for in_process in (False, True):
        make_run("python:predictors:SaysWhere", in_process=in_process)
        process, parent = map(int, (tmp_path / "pid").read_text().split())
        assert (process == os.getpid()) == in_process
        assert os.getpid() != parent, "its parent is the guardian"


WRONG = {
    "--batch-timeout=0: give the seconds": {"batch_timeout": 0.0},
    "--batch-timeout=nan: give the seconds": {"batch_timeout": float("nan")},
    "contradict each other": {"python": sys.executable, "in_process": True},
    "no such interpreter": {"python": "absent/python"},
}


@pytest.mark.parametrize("pattern", list(WRONG))
def test_options_that_cannot_be(make_run, pattern):
    with pytest.raises(UserError, match=pattern):
        make_run("python:predictors:LastFrame", **WRONG[pattern])


def test_an_interpreter_without_a_model_to_run_under_it(make_run):
    with pytest.raises(UserError, match="no --model=python:"):
        make_run("control:oracle", python=sys.executable)


def test_workers_share_the_cores_and_what_the_environment_says_stands(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    before = torch.get_num_threads()
    _share_cores(SimpleNamespace(workerinput={"workercount": 2}))
    torch.set_num_threads(before)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    assert [os.environ[name] for name in names] == ["3", "4", "4"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_session_that_is_ended(arrow, tmp_path, how, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    pid_file = tmp_path / "pid"
    environment = {**os.environ, "TMPDIR": str(temporary), "PID_FILE": str(pid_file), "PYTHONPATH": f"{HERE}:{ROOT}"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(ROOT / "gates"),
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
    ]
    model = ("--model=python:predictors:Hangs", f"--corpus={arrow}", *SMALL)
    session = subprocess.Popen(
        [*command, *model],
        cwd=HERE,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A suite in the background of a shell ignores interrupts, and so would everything that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        predicting = int(pid_file.read_text())
        session.send_signal(how)
        session.wait(timeout=60)
        while _lives(predicting) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _lives(predicting)
        if how == signal.SIGKILL:
            SessionFolder().remove()  # as the next session does
        assert list(temporary.iterdir()) == []
    finally:
        session.kill()
        session.wait()


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def test_what_was_assumed_and_released_is_in_the_card(make_run, observed, tmp_path):
    name = "python:predictors:last_times?alpha=2&weights=w.bin"
    (tmp_path / "w.bin").write_bytes(b"w")
    run = make_run(name, beside=observed)
    record = run.card(name).record()
    assert record.assumed == ["a function of contexts"]
    assert sorted(Path(file).name for file in record.files) == ["predictors.py", "w.bin"]
    assert record.provenance == {
        "python": {"module": "predictors", "factory": "last_times", "arguments": {"alpha": 2, "weights": "w.bin"}}
    }
