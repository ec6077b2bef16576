"""A report is one thing: three files of one session, or no report at all, whatever ends the writer."""

import errno
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from scorecard_sample import card, scorecard, typed

from lvm_gates.harness.base import atomic
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.results import folder as report
from lvm_gates.harness.results.reading import read_report

FILES = {report.SCORECARD, report.SAMPLES, report.PAGE}
SAMPLES = {"VAL/m.pt/cosine": np.arange(3.0)}


def page(card):
    """Rendering takes a second, and what is in the page is tested elsewhere."""
    return f'<meta name="report-id" content="{card.report_id}">'


def named(name):
    return typed(scorecard([card(name, 0.97, "release", ["5 of 5 gates passed"])]))


@pytest.fixture
def old(tmp_path):
    """A folder with a released report, and a file of the user's own."""
    report.write(tmp_path / "out", named("old.pt"), SAMPLES, page)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    return tmp_path / "out"


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_what_is_written_is_read_under_one_id(old):
    assert read_report(old).models == ["old.pt"]
    report.write(old, named("new.pt"), SAMPLES, page)
    assert read_report(old).models == ["new.pt"]
    assert names(old) == FILES | {"notes.txt"}
    assert (old / "notes.txt").read_text() == "mine"


def test_a_withdrawn_report_is_kept_and_read_by_nobody(old):
    report.withdraw(old)
    report.withdraw(old)
    assert names(old) == {f"{name}.withdrawn" for name in FILES} | {"notes.txt"}
    for path in (old, old / report.SCORECARD, old / "scorecard.json.withdrawn"):
        with pytest.raises(UserError, match="was withdrawn when a later session began"):
            read_report(path)


@pytest.mark.parametrize("name", [report.SAMPLES, report.PAGE])
def test_files_of_two_reports_are_refused(old, tmp_path, name):
    other = tmp_path / "other"
    report.write(other, named("old.pt"), SAMPLES, page)
    shutil.copy(other / name, old / name)
    with pytest.raises(UserError, match=rf"scorecard\.json and {name} are of two reports"):
        read_report(old)


def test_files_of_a_version_without_ids_are_not_mixed_with_those_of_one_with(old):
    np.savez(old / report.SAMPLES, **SAMPLES)
    with pytest.raises(UserError, match="of two reports"):
        read_report(old)


def test_a_report_of_a_version_without_ids_is_read(tmp_path):
    atomic.write_json(tmp_path / report.SCORECARD, scorecard())
    np.savez(tmp_path / report.SAMPLES, **SAMPLES)
    (tmp_path / report.PAGE).write_text("<html>")
    assert read_report(tmp_path).models == ["m.pt"]


def test_a_scorecard_alone_is_read(old):
    for name in (report.SAMPLES, report.PAGE):
        (old / name).unlink()
    assert read_report(old).models == ["old.pt"]


def killed(act, monkeypatch, step):
    """Run ``act`` in a child that is killed before its rename number ``step``; whether it got to its end first."""
    child = os.fork()
    if child == 0:
        replace, count = Path.replace, iter(range(10**6))

        def counted(self, target):
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return replace(self, target)

        Path.replace = counted
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_kill_at_any_rename_leaves_the_new_report_or_none(old, tmp_path, monkeypatch):
    """A session withdraws, then writes: three files to temporary names, then three renames, the scorecard's last."""

    def session():
        report.withdraw(folder)
        report.write(folder, named("new.pt"), SAMPLES, page)

    ends = []
    for step in range(100):
        folder = tmp_path / f"killed-{step}"
        shutil.copytree(old, folder)
        finished = killed(session, monkeypatch, step)
        try:
            ends.append(read_report(folder).models)
        except UserError as error:
            ends.append(str(error))
        assert (folder / "notes.txt").read_text() == "mine"
        if finished:
            break
    assert ends[0] == ["old.pt"], "killed before it could do anything"
    assert ends[-1] == ["new.pt"]
    assert len(ends) == 1 + 9, "three files withdrawn, three written, three renamed"
    assert all("withdrawn" in end for end in ends[1:-1]), ends


def test_what_a_kill_left_is_swept_a_day_later(old, monkeypatch):
    killed(lambda: report.write(old, named("new.pt"), SAMPLES, page), monkeypatch, 4)
    (left,) = old.glob(".together.*")
    report.write(old, named("new.pt"), SAMPLES, page)
    assert left.exists(), "it may have a writer yet"
    for path in [*left.iterdir(), left]:
        os.utime(path, (0, 0))
    report.write(old, named("new.pt"), SAMPLES, page)
    assert names(old) == FILES | {"notes.txt"}


def test_a_full_disk_leaves_the_report_that_was_there(old, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        report.write(old, named("new.pt"), SAMPLES, page)
    assert names(old) == FILES | {"notes.txt"}
    assert read_report(old).models == ["old.pt"]


def test_an_interrupt_between_the_files_leaves_none(old):
    report.withdraw(old)

    def interrupted(card):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report.write(old, named("new.pt"), SAMPLES, interrupted)
    assert not old.joinpath(report.SCORECARD).exists()
    assert not list(old.glob(".together.*"))


def test_something_else_under_a_name_of_ours_is_left_alone(tmp_path):
    (tmp_path / report.SCORECARD).mkdir()
    with pytest.raises(IsADirectoryError):
        report.write(tmp_path, named("new.pt"), SAMPLES, page)
    assert names(tmp_path) == {report.SCORECARD}
