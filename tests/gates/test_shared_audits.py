"""Audits of a session are made once, whichever process comes first, and a process that dies holds up nobody."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lvm_gates.harness.audits import AUDITS, audit
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.corpus.splitting import rewrite_splits
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.results.model import AuditRecord
from lvm_gates.harness.worlds.world import synthesise

SMALL = ("--max-samples=120", "--horizon=3")

# Dies with half of the first outcome written, while it holds the lock.
DIES = """
import os, sys
from pathlib import Path
import numpy as np
from test_shared_audits import run_over
def half(stream, **_):
    stream.write(b"half of it")
    stream.flush()
    os.kill(os.getpid(), 9)
np.savez = half
run_over(Path(sys.argv[1]), Path(sys.argv[2])).audits
"""


def run_over(corpus: Path, folder: Path) -> GateRun:
    inputs = resolve(CorpusArguments(corpus=corpus), context=5, max_samples=120, horizon=3, seed=0)
    return GateRun(Settings((), load_profile("5cat"), "frontier", "strict", 0, 256), inputs, [], folder)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> Path:
    """Synthetic dataset `arrow` without a training split."""
    corpus = synthesise("arrow", tmp_path_factory.mktemp("untrained") / "arrow", articles=60, dim=32, seed=1)
    splits = corpus.splits.copy()
    splits[splits == "TRAIN"] = "VAL"
    rewrite_splits(corpus, splits, {"by": "hand"})
    return corpus.path


def test_each_audit_is_made_once_by_two_workers_and_may_have_nothing_to_check(run_gates, untrained, tmp_path):
    """By one process, and with a training split: see test_several_models.py."""
    log, report = tmp_path / "calls", tmp_path / "report"
    given = ("--model=control:oracle", f"--corpus={untrained}", *SMALL, f"--report={report}", "-rs")
    here, env = Path(__file__).parent, {"AUDITS_FILE": str(log)}
    done = run_gates(*given, "-n", "2", "-p", "counted_audits", cwd=here, env=env)
    assert sorted(log.read_text().splitlines()) == sorted(AUDITS)
    # Audits that could not look where no release needs them to: neither a pass nor in the way.
    assert done.returncode == 0, done.stdout
    assert "2 skipped" in done.stdout
    assert "audit train against val: not checkable; no training split is named" in " ".join(done.stdout.split())
    card = json.loads((report / "scorecard.json").read_text())
    inputs = resolve(CorpusArguments(corpus=untrained), context=5, max_samples=120, horizon=3, seed=0)
    assert card["audits"] == [jsonable(AuditRecord.of(one)) for one in audit(inputs)]
    assert [one["name"] for one in card["audits"] if one["status"] != "pass"] == ["leaked windows", "train against val"]
    for shown in (done.stdout, (report / "scorecard.html").read_text()):
        assert "NOT CHECKABLE" in shown
        assert "blocks nothing" in " ".join(shown.split())


def test_a_process_that_dies_leaves_neither_a_lock_nor_half_a_file(arrow, tmp_path):
    here = Path(__file__).parent
    arguments = [sys.executable, "-c", DIES, str(arrow), str(tmp_path)]
    done = subprocess.run(arguments, cwd=here, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == -9, done.stderr
    left = {path.name for path in tmp_path.iterdir()}
    assert "audit-fingerprint.npz.lock" in left
    assert any(name.endswith(".tmp") for name in left), "it did not die in the middle"
    assert "audit-fingerprint.npz" not in left
    found = run_over(arrow, tmp_path).audits
    assert repr(found) == repr(audit(run_over(arrow, tmp_path).inputs))


def test_a_second_process_reads_what_the_first_made(arrow, tmp_path, monkeypatch):
    first = run_over(arrow, tmp_path).audits

    def twice(inputs):
        raise AssertionError("made before")

    for name in AUDITS:
        monkeypatch.setitem(AUDITS, name, twice)
    assert repr(run_over(arrow, tmp_path).audits) == repr(first)
