"""`lvm-report` on reports that are damaged and hostile: an answer, or one sentence."""

import shutil

import pytest

from ci.fuzz import FINE, attempt
from ci.fuzzing import scorecards

COUNT = 60


def test_damaged_reports(reports, tmp_path, monkeypatch):
    for name, found in (("report", "best"), ("other", "ridge")):
        shutil.copytree(reports / found, tmp_path / name)
    monkeypatch.setenv("FUZZ_REPORTS", str(tmp_path))
    monkeypatch.setattr(scorecards, "HTML_SHARE", 0.0)  # pages take a second each; the whole fuzz makes them
    worse = [one for number in range(COUNT) if (one := attempt("scorecard", number, 2)).outcome not in FINE]
    if worse:
        pytest.fail("\n".join(f"{one.number} [{one.outcome}] {one.name}: {one.detail}" for one in worse))
