"""Interrupted runs: resumed, not a bit differs; and what cannot be resumed is refused."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CONFIG, RECIPE, SMALL, assert_same, history, trained, weights

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers.loop import train


def assert_same_run(a, b):
    for name in ("final_model.pt", "best_model.pt"):
        assert_same(weights(a, name), weights(b, name))
    epochs = [sorted(file.name for file in (run / "epochs").glob("*.pt")) for run in (a, b)]
    assert epochs[0] == epochs[1]
    for name in epochs[0]:
        assert_same(weights(a / "epochs", name), weights(b / "epochs", name))
    assert (a / "training_history.json").read_text() == (b / "training_history.json").read_text()


@pytest.mark.parametrize(("model_type", "lr"), [("transformer", 0.2), ("lstm", 2.0)])
def test_interrupted_and_resumed_equals_uninterrupted(corpus, tmp_path, model_type, lr):
    """Killed in the middle of its third epoch, then resumed: not a bit differs."""
    sizes = RECIPE.model if model_type == "transformer" else {"width": 16}
    recipe = replace(RECIPE, model_type=model_type, model=sizes)
    config = replace(CONFIG, epochs=5, lr=lr)
    whole = train(config, recipe, corpus, tmp_path / "whole")
    # The learning rate above is wild so that the validation loss stalls.
    assert whole[-1]["lr"] < config.lr, "the schedule must have acted for the test to mean something"

    calls = 0

    def killed(step):
        nonlocal calls
        calls += 1
        if step.epoch == 3 and calls % 9 == 4:
            raise KeyboardInterrupt
        return recipe.objective(step)

    with pytest.raises(KeyboardInterrupt):
        train(config, replace(recipe, objective=killed), corpus, tmp_path / "parts")
    assert weights(tmp_path / "parts")["epoch"] == 2
    # What a power cut between two files leaves: the history is older than the model.
    (tmp_path / "parts" / "training_history.json").unlink()
    torch.manual_seed(99)
    resumed = train(config, recipe, corpus, tmp_path / "parts", resume=True)
    assert resumed == whole
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_the_most_random_recipe_resumes_too(corpus, tmp_path):
    """P7 draws negatives, P5.1 corrupts frames and picks windows; the sentinel's metrics come back from the file."""
    for recipe, epochs in (("p7", 3), ("p51", 3)):
        options = [recipe, "--corpus", corpus.path, *SMALL, *(["--retries", "0"] if recipe == "p51" else [])]
        whole, parts = tmp_path / f"{recipe}-whole", tmp_path / f"{recipe}-parts"
        trained(*options, "--out", whole, "--epochs", epochs)
        trained(*options, "--out", parts, "--epochs", 1)
        trained(*options, "--out", parts, "--epochs", epochs, "--resume")
        assert history(parts) == history(whole)
        states = [weights(run)["model_state_dict"] for run in (parts, whole)]
        assert_same(*states)


def test_killed_between_any_two_files_it_resumes(corpus, tmp_path, monkeypatch):
    """The epoch's own checkpoint, the best, the final, the history: whichever was the last to be written."""
    from lvm_gates.trainers import run_folder

    config = replace(CONFIG, epochs=2)
    train(config, RECIPE, corpus, tmp_path / "whole")
    save_checkpoint, written = run_folder.save_checkpoint, 0

    def counted(path, **fields):
        nonlocal written
        if written == stop:
            raise KeyboardInterrupt
        written += 1
        save_checkpoint(path, **fields)

    # Three files an epoch, the last of which may or may not be the best too.
    for stop in range(1, 5):
        written = 0
        out = tmp_path / f"parts-{stop}"
        monkeypatch.setattr(run_folder, "save_checkpoint", counted)
        with pytest.raises(KeyboardInterrupt):
            train(config, RECIPE, corpus, out)
        monkeypatch.setattr(run_folder, "save_checkpoint", save_checkpoint)
        # Before the first final_model.pt there is nothing to resume, and nothing that must not be replaced.
        train(config, RECIPE, corpus, out, resume=(out / "final_model.pt").exists())
        assert_same_run(out, tmp_path / "whole")


def test_sigkill_in_the_middle_of_an_epoch(make_corpus, tmp_path):
    """`kill -9` as the operating system does it, then --resume in this process."""
    corpus = make_corpus(tmp_path / "corpus", ["TRAIN"] * 12 + ["VAL"], length=40)
    options = ["p1", "--corpus", corpus.path, *SMALL, "--epochs", "3", "--sentinel", "off", "--batch-size", "4"]
    line = [sys.executable, "-c", "from lvm_gates.trainers.cli import main; main()", *map(str, options)]
    with subprocess.Popen([*line, "--out", tmp_path / "parts"], stdout=subprocess.DEVNULL) as process:
        first = tmp_path / "parts" / "training_history.json"
        deadline = time.monotonic() + 60
        while not first.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        # The history is an epoch's last file; what follows is the next epoch, some 110 steps long.
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert weights(tmp_path / "parts")["epoch"] < 3, "it was killed too late for the test to mean something"
    trained(*options, "--out", tmp_path / "parts", "--resume")
    trained(*options, "--out", tmp_path / "whole")
    assert len(history(tmp_path / "whole")) == 3
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_a_finished_run_can_be_extended(corpus, tmp_path):
    train(replace(CONFIG, epochs=1), RECIPE, corpus, tmp_path / "parts")
    train(CONFIG, RECIPE, corpus, tmp_path / "parts", resume=True)
    train(CONFIG, RECIPE, corpus, tmp_path / "whole")
    for key in ("model_state_dict", "optimizer_state_dict", "training_state"):
        assert_same(weights(tmp_path / "parts")[key], weights(tmp_path / "whole")[key])


def test_resuming_a_finished_run_changes_nothing(corpus, tmp_path, capsys):
    train(CONFIG, RECIPE, corpus, tmp_path)
    before = (tmp_path / "final_model.pt").read_bytes()
    whole = history(tmp_path)
    # Killed right before its last file was written.
    (tmp_path / "training_history.json").unlink()
    assert len(train(CONFIG, RECIPE, corpus, tmp_path, resume=True)) == 3
    assert (tmp_path / "final_model.pt").read_bytes() == before
    assert history(tmp_path) == whole
    assert "3 epochs are done already" in capsys.readouterr().out


def test_resuming_another_run_is_refused(corpus, make_corpus, tmp_path):
    with pytest.raises(UserError, match=r"holds no final_model\.pt to resume from"):
        train(CONFIG, RECIPE, corpus, tmp_path, resume=True)
    train(replace(CONFIG, epochs=1), RECIPE, corpus, tmp_path)
    with pytest.raises(UserError, match=r"is another run .*seed was 0, is 4"):
        train(replace(CONFIG, seed=4), RECIPE, corpus, tmp_path, resume=True)
    with pytest.raises(UserError, match=r"is another run .*options was {}, is {'margin': 0.1}"):
        train(replace(CONFIG, options={"margin": 0.1}), RECIPE, corpus, tmp_path, resume=True)
    other = make_corpus(tmp_path / "other", ["TRAIN", "VAL"], seed=3)
    with pytest.raises(UserError, match="the corpus is another"):
        train(CONFIG, RECIPE, other, tmp_path, resume=True)
    again = replace(corpus, splits=np.where(corpus.splits == "VAL", "TRAIN", corpus.splits))
    again.splits[0] = "VAL"
    with pytest.raises(UserError, match="articles have changed their split since"):
        train(replace(CONFIG, epochs=2), RECIPE, again, tmp_path, resume=True)
    record = weights(tmp_path)
    torch.save(record | {"training_state": {"history": []}}, tmp_path / "final_model.pt")
    with pytest.raises(UserError, match="damaged and cannot be resumed"):
        train(CONFIG, RECIPE, corpus, tmp_path, resume=True)
    torch.save(record | {"training_state": None}, tmp_path / "final_model.pt")
    with pytest.raises(UserError, match="was not written by lvm-train"):
        train(CONFIG, RECIPE, corpus, tmp_path, resume=True)
