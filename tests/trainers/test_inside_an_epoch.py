"""Saved inside an epoch and resumed there: not a bit differs from a run that was never cut short."""

import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from test_resuming import assert_same_run
from tiny import CONFIG, RECIPE, SMALL, assert_same, history, lvm_train, trained, weights

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers import position
from lvm_gates.trainers.loop import train
from lvm_gates.trainers.run_folder import RunFolder
from lvm_gates.trainers.saved import FINAL, UNFINISHED

# P7 draws negatives, P5.1 corrupts frames and picks windows, P4 asks the network again: all of them have dropout.
# With each the number of saves from the second one on to the first in the second epoch.
# Averaged weights, warm-up and cosine have a state or a place of their own.
RECIPES = {
    "p1": (["--set", "average.decay=.9", "--set", "rate.warmup=.7", "--set", "rate.schedule=cosine"], 15),
    "p7": (["--set", "rate.warmup=1.5"], 15),
    "p51": (["--retries", "0", "--set", "average.decay=.5"], 3),
    "p4": ([], 15),
    "p6b": (["--version", "v2.3", "--as-published"], 13),
}


@pytest.fixture
def killed(monkeypatch):
    """Ctrl-C right after the n-th save inside an epoch."""
    save, left = RunFolder.save_unfinished, [0]

    def counted(*given):
        save(*given)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "save_unfinished", counted)
    return lambda n: left.__setitem__(0, n)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_resumes_in_the_middle_of_an_epoch(corpus, tmp_path, killed, recipe):
    own, more = RECIPES[recipe]
    options = [recipe, "--corpus", corpus.path, *SMALL, "--epochs", 2, "--batch-size", 4, *own]
    trained(*options, "--out", tmp_path / "whole")
    parts = ["--out", tmp_path / "parts", "--checkpoint-every", 2]
    killed(2)
    first = lvm_train(*options, *parts)
    assert "interrupted; the same command with --resume goes on inside its epoch" in first.stderr
    assert weights(tmp_path / "parts", UNFINISHED)["epoch"] == 0
    assert not (tmp_path / "parts" / FINAL).exists()
    # The second time in the second epoch, where there is a final_model.pt too; another pace changes nothing.
    killed(more)
    assert lvm_train(*options, *parts, "--resume").exit_code == 1
    record = weights(tmp_path / "parts", UNFINISHED)
    assert (record["epoch"], record["training_state"]["position"]["step"]) == (1, 2)
    killed(0)
    trained(*options, "--out", tmp_path / "parts", "--resume")
    record, whole = (weights(tmp_path / name) for name in ("parts", "whole"))
    assert ("trained_state_dict" in whole) == ("average.decay" in " ".join(own))
    for name in whole.keys() & {"model_state_dict", "trained_state_dict", "optimizer_state_dict", "training_state"}:
        assert_same(record[name], whole[name])
    assert history(tmp_path / "parts") == history(tmp_path / "whole")
    assert not (tmp_path / "parts" / UNFINISHED).exists()


# `kill -9` in a step between two saves, whose work is lost.
KILLED_AT, SAVED_EVERY = 27, 10
KILLED = f"""
import os, signal
from torch.optim import AdamW
from lvm_gates.trainers.cli import main
step, left = AdamW.step, [{KILLED_AT}]

def counted(*given, **more):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*given, **more)

AdamW.step = counted
main()
"""


def test_sigkill_inside_the_first_epoch(make_corpus, tmp_path):
    """`kill -9` before any epoch was saved, then --resume in this process."""
    corpus = make_corpus(tmp_path / "corpus", ["TRAIN"] * 4 + ["VAL"], length=20)  # an epoch of 30 steps
    options = ["p1", "--corpus", corpus.path, *SMALL, "--epochs", "2", "--sentinel", "off", "--batch-size", "2"]
    options += ["--checkpoint-every", str(SAVED_EVERY)]
    command = [sys.executable, "-c", KILLED, *map(str, options), "--out", str(tmp_path / "parts")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    assert weights(tmp_path / "parts", UNFINISHED)["training_state"]["position"]["step"] == 20
    assert not (tmp_path / "parts" / FINAL).exists(), "it was killed too late for the test to mean something"
    trained(*options, "--out", tmp_path / "parts", "--resume")
    trained(*options, "--out", tmp_path / "whole")
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_what_a_kill_leaves_behind_a_saved_epoch_is_not_gone_back_to(corpus, tmp_path, killed):
    """Killed between an epoch's files and the removal of the file from inside it."""
    config = replace(CONFIG, checkpoint_every=3)
    killed(1)
    with pytest.raises(KeyboardInterrupt):
        train(config, RECIPE, corpus, tmp_path)
    stale = (tmp_path / UNFINISHED).read_bytes()
    killed(0)
    whole = train(replace(config, epochs=1), RECIPE, corpus, tmp_path, resume=True)
    final = (tmp_path / FINAL).read_bytes()
    (tmp_path / UNFINISHED).write_bytes(stale)
    assert train(replace(config, epochs=1), RECIPE, corpus, tmp_path, resume=True) == whole
    assert (tmp_path / FINAL).read_bytes() == final


def test_a_replaced_run_goes_when_the_new_one_saves(corpus, tmp_path, killed):
    train(CONFIG, RECIPE, corpus, tmp_path)
    killed(1)
    with pytest.raises(KeyboardInterrupt):
        train(replace(CONFIG, seed=3, checkpoint_every=3), RECIPE, corpus, tmp_path, overwrite=True)
    assert sorted(file.name for file in tmp_path.rglob("*.*")) == [UNFINISHED]
    with pytest.raises(UserError, match=r"already holds a run .*add --resume"):
        train(CONFIG, RECIPE, corpus, tmp_path)
    with pytest.raises(UserError, match=r"is another run .*seed was 3, is 0"):
        train(CONFIG, RECIPE, corpus, tmp_path, resume=True)
    killed(0)
    assert len(train(replace(CONFIG, seed=3), RECIPE, corpus, tmp_path, resume=True)) == 3


def test_time_sets_the_pace_where_nobody_does(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(position.time, "monotonic", lambda: now[0])
    pace, found = position.Pace(None), []
    for step in range(1, 11):
        now[0] += 100.0
        found += [step] if pace.due(step) else []
    assert found == [3, 6, 9]
    assert [step for step in range(1, 11) if position.Pace(4).due(step)] == [4, 8]
