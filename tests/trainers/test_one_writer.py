"""Two trainers on one folder: the second is told, whether it starts anew or resumes, and harms nothing."""

import subprocess
import sys

import pytest
from tiny import SMALL, history, lvm_train, trained

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers.one_writer import only_writer

HOLD = """
import sys, time
from pathlib import Path
from lvm_gates.trainers.one_writer import only_writer
with only_writer(Path(sys.argv[1]), make=True):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def corpus(make_corpus, tmp_path):
    return make_corpus(tmp_path / "corpus", ["TRAIN"] * 6 + ["VAL"] * 3).path


def holder(folder):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--resume"]])
def test_a_folder_that_is_trained_into_is_refused(corpus, tmp_path, more):
    out = tmp_path / "out"
    line = ["p1", "--corpus", corpus, "--out", out, *SMALL, "--sentinel", "off"]
    trained(*line, "--epochs", "1")
    before = history(out)
    process = holder(out)
    try:
        result = lvm_train(*line, "--epochs", "2", *more)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert result.exit_code == 1
    assert "another lvm-train is writing there" in " ".join(result.output.split())
    assert history(out) == before
    # The lock of a process that dies goes with it.
    trained(*line, "--epochs", "2", "--resume")
    assert len(history(out)) == 2
    assert not list(out.glob(".*")), "nothing is left of the locks"


def test_a_run_that_never_began_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="mistake"), only_writer(tmp_path / "out", make=True):
        raise ValueError("mistake")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), only_writer(tmp_path / "file" / "out", make=True):
        pass
    assert not (tmp_path / "out").exists()
