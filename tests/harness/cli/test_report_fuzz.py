"""`lvm-report` on reports that are damaged and hostile: an answer, or one sentence."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_damaged_reports(reports, tmp_path):
    """In a process of its own, as damaged files are; the whole fuzz draws pages too, at a second each."""
    for name, found in (("report", "best"), ("other", "ridge")):
        shutil.copytree(reports / found, tmp_path / name)
    asked = [sys.executable, "-m", "ci.fuzz", "--only", "scorecard", "--count", "40", "--seed", "2", "--no-pages"]
    known = {"FUZZ_REPORTS": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, env=os.environ | known)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| scorecard | 40 |" in done.stdout
