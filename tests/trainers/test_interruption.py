"""Ctrl-C says how to go on, and who does as told goes on."""

import re

import pytest
from tiny import SMALL, history, lvm_train, trained

from lvm_gates.trainers import loop


@pytest.fixture
def interrupt(monkeypatch):
    """Ctrl-C in the n-th epoch from now on; 0 lets it be."""
    train_epoch, left = loop.train_epoch, [0]

    def interrupted(*given, **named):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return train_epoch(*given, **named)

    monkeypatch.setattr(loop, "train_epoch", interrupted)
    return lambda n: left.__setitem__(0, n)


@pytest.fixture
def line(corpus, tmp_path):
    return ["p1", "--corpus", corpus.path, "--out", tmp_path / "run", *SMALL, "--epochs", "3", "--sentinel", "off"]


def follow(line, said):
    """The command that is advised, typed."""
    with_resume = "with --resume" in said
    without = "--overwrite" in said
    return [word for word in line if not (without and word == "--overwrite")] + ["--resume"] * with_resume


@pytest.mark.parametrize(
    ("before", "epoch", "advice", "first"),
    [
        ([], 2, "the same command with --resume goes on after the last epoch saved", 2),
        ([], 1, "no epoch was saved, so the same command starts anew", 1),
        (["--overwrite"], 3, "the same command with --resume in place of --overwrite goes on after", 3),
        (["--overwrite"], 1, "no epoch was saved, so the same command starts anew", 1),
    ],
)
def test_advice_is_given_and_works(line, tmp_path, interrupt, before, epoch, advice, first):
    if before:
        trained(*line)
    interrupt(epoch)
    stopped = lvm_train(*line, *before)
    assert stopped.exit_code == 1
    assert f"run: interrupted; {advice}" in stopped.stderr
    interrupt(0)
    more = trained(*follow([*line, *before], stopped.stderr))
    assert more.output.startswith(f"epoch {first}/3: ")
    assert len(history(tmp_path / "run")) == 3


def test_a_resumed_run_is_interrupted_again(line, interrupt):
    interrupt(2)
    lvm_train(*line)
    interrupt(2)
    stopped = lvm_train(*line, "--resume")
    assert "the same command goes on after the last epoch saved" in stopped.stderr
    interrupt(0)
    assert trained(*line, "--resume").output.startswith("epoch 3/3: ")


def test_a_grid_goes_on_by_itself(corpus, tmp_path, interrupt):
    options = ["--corpus", corpus.path, *SMALL, "--epochs", "2", "--sentinel", "off"]
    line = ["grid", "p1", "--vary", "seed=0,1", "--out", tmp_path / "grid", *options]
    interrupt(4)
    stopped = lvm_train(*line)
    assert stopped.exit_code == 1
    assert re.search(r"seed=1: interrupted; the same command goes on\.", stopped.stderr)
    interrupt(0)
    assert trained(*line).output.count("best epoch") == 2
