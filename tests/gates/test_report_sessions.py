"""What a session leaves in its report folder when it is killed, interrupted, or runs out of disk."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.results.reading import read_report

ROOT = Path(__file__).resolve().parents[2]
# A plugin through which something goes wrong at one place of the session.
PLUGIN = """
import importlib, os, resource, signal
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    # A suite in the background of a shell ignores interrupts, and so would the session.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    {what}
"""
KILL, INTERRUPT = "SIGKILL", "SIGINT"


def signalled(place: str, name: str) -> str:
    """Send the session a signal instead of calling a function of the engine."""
    owner, function = place.rsplit(".", 1)
    module, _, holder = owner.partition(":")
    target = f"importlib.import_module({module!r})" + (f".{holder}" if holder else "")
    return f"setattr({target}, {function!r}, lambda *a, **k: os.kill(os.getpid(), signal.{name}))"


def limited(size: int) -> str:
    return f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


@pytest.fixture(scope="module")
def finished(run_gates, arrow, tmp_path_factory):
    """The report of a session that released its model."""
    out = tmp_path_factory.mktemp("finished") / "out"
    done = run_gates(
        "--model=control:oracle", f"--corpus={arrow}", "--max-samples=120", "--horizon=3", f"--report={out}"
    )
    assert done.returncode == 0, done.stdout
    return out


@pytest.fixture
def session(arrow, finished, tmp_path):
    """session(what, *options): gate again into a folder that holds a release, while ``what`` goes wrong."""
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    out.mkdir()
    temporary.mkdir()
    for file in finished.iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    assert read_report(out).scorecard.models[0].verdict == "release"

    def run(what: str, *options: str) -> subprocess.CompletedProcess[str]:
        line = [str(ROOT / "gates"), "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
        line += ["--model=control:oracle", f"--corpus={arrow}"]
        line += ["--max-samples=120", "--horizon=3", f"--report={out}", *options]
        (tmp_path / "sabotage.py").write_text(PLUGIN.format(what=what))
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "sabotage", *line],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
            timeout=300,
        )

    run.out, run.temporary = out, temporary
    return run


def assert_no_release(out: Path) -> None:
    with pytest.raises(UserError, match="was withdrawn"):
        read_report(out)
    assert not list(out.glob(".together*"))


@pytest.mark.parametrize(
    "place", ["lvm_gates.gates.session.open_run", "lvm_gates.harness.judging.session:GateRun.prepare"]
)
def test_a_killed_session_leaves_no_release(session, place):
    done = session(signalled(place, KILL))
    assert done.returncode == -signal.SIGKILL
    assert_no_release(session.out)


@pytest.mark.parametrize(
    "place",
    [
        "lvm_gates.gates.session.open_run",
        "lvm_gates.harness.judging.session:GateRun.prepare",
        "lvm_gates.harness.report.write.write_report",
    ],
)
def test_an_interrupted_session_leaves_no_release_and_no_folder(session, place):
    done = session(signalled(place, INTERRUPT))
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "RELEASE " not in done.stdout
    assert_no_release(session.out)
    assert not list(session.temporary.glob("*lvm-gates-*"))


def test_a_disk_too_full_for_the_report_costs_the_report_and_not_the_verdict(session):
    # From the moment of writing on, a file may have 100 KB: the samples and the scorecard have more.
    done = session(
        "from lvm_gates.harness.report import write as report; write = report.write_report\n"
        f"    report.write_report = lambda *a: ({limited(100_000)}, write(*a))"
    )
    said = " ".join(done.stdout.split())
    assert done.returncode == pytest.ExitCode.INTERNAL_ERROR, "neither a pass nor a failed gate"
    assert "RELEASE control:oracle" in said, said
    assert "out: cannot be written (File too large); name another" in said
    assert "Traceback" not in done.stdout + done.stderr
    assert_no_release(session.out)


def test_a_disk_too_full_for_observations_is_one_sentence(session):
    done = session(limited(9_000))
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode not in (0, -signal.SIGXFSZ), said
    assert "cannot be read or written (File too large); free space" in said
    assert "Traceback" not in said
    assert "nothing is released" in said
    assert_no_release(session.out)


def test_a_report_folder_that_holds_something_else_of_that_name_is_refused_at_once(run_gates, tmp_path):
    (tmp_path / "scorecard.json").mkdir()
    done = run_gates("--model=control:oracle", f"--report={tmp_path}")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "cannot be made or written (Is a directory)" in done.stderr
