"""What is said while models are evaluated: a bar past pytest's capture to who watches, a line now and then to a log."""

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from lvm_gates.gates import progress

GATES = Path(__file__).parents[2] / "gates"


def session(verbose=0, **more):
    """As much of a session's config as is looked at; its capture is this test's own."""
    plugins = SimpleNamespace(getplugin=lambda name: None)
    return SimpleNamespace(option=SimpleNamespace(verbose=verbose), pluginmanager=plugins, **more)


def test_a_bar_is_drawn_past_the_capture_where_somebody_watches(arrow):
    ours, theirs = pty.openpty()
    given = ["--model=control:oracle", f"--corpus={arrow}", "--max-samples=60", "--horizon=2", "-q"]
    command = [sys.executable, "-m", "pytest", str(GATES), "-p", "no:cacheprovider", *given]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, cwd=GATES.parent)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    said = done.communicate(timeout=100)[0].decode()
    os.close(ours)
    assert re.search(rb"\d+/\d+", seen), "pieces done, of how many"
    assert "RELEASE" in said or "HOLD" in said
    assert not re.search(r"\d+/\d+", said), "and nothing of it in what is captured"


def test_a_log_gets_a_line_now_and_then(capfd, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.05)
    with progress.reporting(session()) as report:
        report("control:oracle on VAL", 3, 12)
        time.sleep(0.3)
        report("control:\x1b[2Jnan on OOD", 4, 12)
        time.sleep(0.3)
    lines = capfd.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 13
    assert re.fullmatch(r"gating: control:oracle on VAL, 3 of 12 steps done, \d+ s", lines[0])
    assert "4 of 12" in lines[-1]
    assert "\x1b" not in lines[-1]
    time.sleep(0.15)
    assert not capfd.readouterr().err, "nothing is said when it is over"


def test_what_is_quick_is_done_in_silence(capfd):
    with progress.reporting(session()) as report:
        report("control:oracle on VAL", 3, 12)
    assert not capfd.readouterr().err


@pytest.mark.parametrize(
    ("config", "speaks"),
    [
        (session(), True),
        (session(-1), True),
        (session(-2), False),
        (session(workerinput={"workerid": "gw0"}), True),
        (session(workerinput={"workerid": "gw1"}), False),
    ],
)
def test_one_process_speaks_for_all(config, speaks):
    with progress.reporting(config) as report:
        assert (report is not None) == speaks
