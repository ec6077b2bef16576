"""The folder of a session is its own while it lives, and goes with it: at once, or when the next session starts."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lvm_gates.gates.folder import SessionFolder
from lvm_gates.harness.base.errors import UserError

KILLED = (
    "import os, signal; from lvm_gates.gates.folder import SessionFolder; f = SessionFolder(); (f.path / 'x').touch(); "
)
KILLED += "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_what_a_killed_session_left_is_swept_and_the_living_are_left_alone(temporary):
    living = SessionFolder()
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=root, check=False)
    assert done.returncode == -9
    (temporary / "lvm-gates-of-somebody").mkdir()
    left = {path.name for path in temporary.iterdir()}
    assert len(left) == 3, "its folder, the living one, and one that has no lock"
    following = SessionFolder()
    assert {path.name for path in temporary.iterdir()} == {
        living.path.name,
        following.path.name,
        "lvm-gates-of-somebody",
    }
    following.remove()
    living.remove()
    assert [path.name for path in temporary.iterdir()] == ["lvm-gates-of-somebody"]


def test_two_sessions_do_not_share_a_folder():
    one, other = SessionFolder(), SessionFolder()
    assert one.path != other.path
    assert one.path.is_dir()
    one.remove()
    assert other.path.is_dir()
    other.remove()


def test_nowhere_to_make_it_is_a_sentence(temporary, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "absent"))
    with pytest.raises(UserError, match=r"no temporary folder can be made \(No such file or directory\); set TMPDIR"):
        SessionFolder()
