"""A sentinel that may act: auxiliary terms dropped, runs stopped; and the best checkpoint by each criterion."""

import math
from dataclasses import replace

import pytest
from tiny import CONFIG, RECIPE, history, weights

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers import loop, watch
from lvm_gates.trainers.loop import train
from lvm_gates.trainers.losses import cosine
from lvm_gates.trainers.objective import Loss, Term, weighted
from lvm_gates.trainers.schedule import constant

WITH_AUXILIARY = replace(
    RECIPE,
    objective=weighted(
        Term("auxiliary", constant(0.1), lambda step: step.raw.square().mean()),
        Term("always", constant(0.1), lambda step: step.raw.square().mean(), auxiliary=False),
    ),
)
ACT = replace(CONFIG, sentinel="act", epochs=4)


@pytest.fixture
def fires(monkeypatch):
    """Makes a rule of the sentinel fire after one epoch."""

    def fire(rule, epoch):
        monkeypatch.setattr(
            watch, rule, lambda reading, *best: f"{rule} of the test" if reading.epoch == epoch else None
        )

    return fire


@pytest.mark.parametrize(("mode", "auxiliary"), [("act", [True, True, False, False]), ("watch", [True] * 4)])
def test_auxiliary_terms_are_dropped_from_the_epoch_after_the_rule_fires(
    corpus, tmp_path, capsys, fires, mode, auxiliary
):
    """And stay dropped, though the rule fires once; the other terms stay."""
    fires("backs_off", 2)
    fires("aborts", None)
    records = train(replace(ACT, sentinel=mode), WITH_AUXILIARY, corpus, tmp_path)
    assert [record["guards"] for record in records] == auxiliary
    assert ["train_loss.auxiliary" in record for record in records] == auxiliary
    assert all("train_loss.always" in record for record in records)
    told = capsys.readouterr().out.count("sentinel: backs_off of the test")
    assert told == (1 if mode == "act" else 0)


def test_a_resumed_run_keeps_its_auxiliary_terms_dropped(corpus, tmp_path, fires):
    fires("backs_off", 2)
    fires("aborts", None)
    whole = train(ACT, WITH_AUXILIARY, corpus, tmp_path / "whole")
    train(replace(ACT, epochs=3), WITH_AUXILIARY, corpus, tmp_path / "parts")
    assert train(ACT, WITH_AUXILIARY, corpus, tmp_path / "parts", resume=True) == whole


def test_an_aborted_run_keeps_its_epochs_and_stops_again_at_once(corpus, tmp_path, fires, monkeypatch):
    fires("backs_off", None)
    fires("aborts", 2)
    with pytest.raises(UserError) as stopped:
        train(ACT, RECIPE, corpus, tmp_path)
    sentence = str(stopped.value)
    assert sentence.startswith("training stopped: aborts of the test; epochs saved are kept")
    assert sentence.count(". ") == 0
    assert weights(tmp_path)["epoch"] == 2
    assert sorted(file.name for file in (tmp_path / "epochs").iterdir()) == ["epoch-001.pt", "epoch-002.pt"]
    assert len(history(tmp_path)) == 2

    def trains(*given, **named):
        raise AssertionError("it must not train on")

    monkeypatch.setattr(loop, "train_epoch", trains)
    for epochs in (2, 4):
        with pytest.raises(UserError, match="training stopped: aborts of the test"):
            train(replace(ACT, epochs=epochs), RECIPE, corpus, tmp_path, resume=True)


def test_an_abort_after_the_last_epoch_is_told_too(corpus, tmp_path, fires):
    fires("backs_off", None)
    fires("aborts", 2)
    with pytest.raises(UserError, match="training stopped"):
        train(replace(ACT, epochs=2), RECIPE, corpus, tmp_path)
    assert weights(tmp_path)["epoch"] == 2


def test_a_run_that_turns_to_copying_is_stopped(corpus, tmp_path, capsys):
    """By the real rule: the cosine falls by more than a tenth. Watched only, it trains on and is told of it."""

    def turns(step):
        wanted = step.target if step.epoch < 5 else step.last
        return Loss(1 - cosine(step.raw, wanted), {})

    recipe, act = replace(RECIPE, objective=turns), replace(ACT, lr=0.005, batch_size=8, epochs=6)
    with pytest.raises(UserError, match=r"the mean cosine fell from 0\.\d+ in epoch 4 to -?0\.\d+ in epoch 5"):
        train(act, recipe, corpus, tmp_path / "act")
    assert [record["epoch"] for record in history(tmp_path / "act")] == [1, 2, 3, 4, 5]
    assert weights(tmp_path / "act", "best_model.pt")["epoch"] == 4
    capsys.readouterr()
    assert len(train(replace(act, sentinel="watch"), recipe, corpus, tmp_path / "watch")) == 6
    assert "sentinel: the mean cosine fell from" in capsys.readouterr().out


def test_the_sentinel_is_sized_by_the_smallest_epoch(corpus, tmp_path, monkeypatch):
    """A curriculum's first epochs are short, and a look may cost a twentieth of each."""
    asked = []
    monkeypatch.setattr(loop, "open_sentinel", lambda config, corpus, training: asked.append(training))
    recipe = replace(RECIPE, select_windows=lambda windows, epoch: windows.take(slice(0, 20 * epoch)))
    train(replace(CONFIG, epochs=2), recipe, corpus, tmp_path)
    assert asked == [20]


def test_a_collapse_of_two_kinds_is_told_once():
    value = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    metrics = {"cosine": value, "collapsed": False, "finite": 1.0, "peak": 1, "margin_vs_previous": value}
    whole, broken = metrics | {"findings": []}, metrics | {"collapsed": True, "findings": ["of rank 1", "all alike"]}
    records = [{"epoch": 1, "sentinel": whole}, {"epoch": 2, "sentinel": broken}]
    assert watch.remarks("act", records) == ["of rank 1", "all alike"]
    with pytest.raises(UserError, match="training stopped: of rank 1; all alike; epochs saved"):
        watch.require_no_abort("act", records)


@pytest.mark.parametrize("select", ["val_cos", "last-margin", "margin", "skill"])
def test_the_best_checkpoint_is_the_epoch_with_the_best_score(corpus, tmp_path, select):
    # Half a wild learning rate, so that the last epoch is not always the best.
    config = replace(CONFIG, select=select, sentinel="watch", epochs=5, lr=0.05)
    records = train(config, RECIPE, corpus, tmp_path)
    metrics = {
        "val_cos": [record["val_cosine"] for record in records],
        "last-margin": [record["val_margin"] for record in records],
        "margin": [record["sentinel"]["margin"]["value"] for record in records],
        "skill": [record["sentinel"]["F"]["value"] for record in records],
    }[select]
    assert len(set(metrics)) == 5
    assert [record["score"] for record in records] == metrics
    assert weights(tmp_path, "best_model.pt")["epoch"] == 1 + metrics.index(max(metrics))
    assert weights(tmp_path, "best_model.pt")["args"]["select"] == select


def test_an_undefined_score_is_better_than_no_other(corpus, tmp_path, monkeypatch):
    """It is recorded as null; the first epoch stands until a score is defined, and a tie changes nothing."""
    scores = {1: -math.inf, 2: 0.1, 3: -math.inf, 4: 0.3, 5: 0.3, 6: 0.2}
    epoch = iter(scores)
    best = []

    def score(*given):
        now = next(epoch)
        if now > 1:
            best.append(weights(tmp_path, "best_model.pt")["epoch"])
        return scores[now]

    monkeypatch.setattr(loop, "selection", score)
    records = train(replace(CONFIG, epochs=6), RECIPE, corpus, tmp_path)
    assert [record["score"] for record in records] == [None, 0.1, None, 0.3, 0.3, 0.2]
    assert [*best, weights(tmp_path, "best_model.pt")["epoch"]] == [1, 2, 2, 4, 4, 4]
