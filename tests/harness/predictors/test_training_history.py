"""The history beside a checkpoint: taken where it is of the same run, left where it is not or cannot be read."""

import json
import math

import pytest

from lvm_gates.harness.predictors.training_history import HISTORY, training_beside
from lvm_gates.trainers import saved


def record(epoch, cosine, **more):
    return {"epoch": epoch, "val_loss": 1.0 / epoch, "val_cosine": cosine, "train_cosine": 0.5, "lr": 0.001, **more}


@pytest.fixture
def beside(tmp_path):
    def make(history, provenance=None, text=None):
        (tmp_path / HISTORY).write_text(json.dumps({"history": history}) if text is None else text)
        return training_beside(tmp_path / "best_model.pt", provenance or {"epoch": 2, "val_loss": 0.5})

    return make


def test_the_trainers_write_the_file_that_is_looked_for():
    assert HISTORY == saved.HISTORY


def test_the_run_with_what_collapsed_and_what_a_schedule_changed(beside):
    history = [
        record(1, 0.6, train_loss=0.1, windows=100, position_scale=None),
        record(2, 0.7, **{"windows": 400, "train_loss.margin": 0.1, "sentinel": {"F": {"value": 0.25}}}),
        record(3, 0.55, windows=400, lr=0.0005, position_scale=0.5),
        record(4, None, windows=400, lr=0.0005, sentinel={"collapsed": True, "F": None}),
    ]
    found = beside(history)
    assert (found.judged, [one.epoch for one in found.epochs]) == (2, [1, 2, 3, 4])
    assert found.epochs[1].gain == 0.25
    assert math.isnan(found.epochs[3].val_cosine)
    assert [(one.epoch, one.kind, one.text) for one in found.events] == [
        (2, "schedule", "training windows 100 to 400"),
        (2, "schedule", "loss term margin begins"),
        (3, "collapse", "cosine fell to 0.550, from 0.700 at best"),
        (3, "schedule", "learning rate 0.001 to 0.0005"),
        (3, "schedule", "position scale 0.5"),
        (3, "schedule", "loss term margin ends"),
        (4, "collapse", "predictions collapsed"),
    ]


@pytest.mark.parametrize(
    "provenance", [{"epoch": 2, "val_loss": 0.51}, {"epoch": 7, "val_loss": 0.5}, {"recipe": "p1"}]
)
def test_the_history_of_another_run_is_left(beside, provenance):
    assert beside([record(1, 0.6), record(2, 0.7)], provenance) is None


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"history": 3}', '{"history": [3]}', '{"history": [{}]}'])
def test_what_is_no_history_is_left(beside, text):
    assert beside([], text=text) is None


def test_no_history_and_no_record(tmp_path):
    assert training_beside(tmp_path / "best_model.pt", {"epoch": 1}) is None
    (tmp_path / HISTORY).write_text("{}")
    assert training_beside(tmp_path / "best_model.pt", None) is None
