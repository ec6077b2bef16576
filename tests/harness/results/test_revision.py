"""Whose commit a scorecard names: that of our own checkout, never that of whatever surrounds an installation."""

import subprocess

import pytest

from lvm_gates.harness.results import scorecard
from lvm_gates.harness.results.model import Revision

NOTHING = Revision(commit=None, dirty=None)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit."""
    for name in ("GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    author = ["-c", "user.name=they", "-c", "user.email=they@example.org"]
    for command in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "Theirs"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def head(repository):
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def lies_in(folder, monkeypatch):
    """The module is a file of that folder, as far as it knows."""
    file = folder / "harness" / "results" / "scorecard.py"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(scorecard, "__file__", str(file))


@pytest.mark.parametrize("place", [".venv/lib/python3.11/site-packages/lvm_gates", "vendored/lvm_gates", "lvm_gates"])
def test_an_installation_inside_another_repository_says_null(repository, monkeypatch, place):
    lies_in(repository / place, monkeypatch)
    assert scorecard._revision() == NOTHING


def test_an_installation_outside_of_any_repository_says_null(tmp_path, monkeypatch):
    lies_in(tmp_path / "lvm_gates", monkeypatch)
    assert scorecard._revision() == NOTHING


def test_our_own_checkout_says_its_commit_and_whether_it_was_changed(repository, monkeypatch):
    lies_in(repository, monkeypatch)
    (repository / "src" / "lvm_gates" / "harness").mkdir(parents=True)
    assert scorecard._revision() == Revision(commit=head(repository), dirty=True)


def test_a_checkout_without_a_commit_says_null(tmp_path, monkeypatch):
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    lies_in(tmp_path, monkeypatch)
    (tmp_path / "src" / "lvm_gates" / "harness").mkdir(parents=True)
    assert scorecard._revision() == NOTHING


def test_a_copy_of_our_sources_inside_another_repository_says_null(repository, monkeypatch):
    lies_in(repository / "third_party", monkeypatch)
    (repository / "third_party" / "src" / "lvm_gates" / "harness").mkdir(parents=True)
    assert scorecard._revision() == NOTHING
