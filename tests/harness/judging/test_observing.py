"""Who is asked what, how often and how, with the engine replaced by what it was called with."""

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.controls import STANDARD_CONTROLS, Control
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.judging import observing
from lvm_gates.harness.judging.additions import Additions
from lvm_gates.harness.judging.observing import Observing, ingredients_of

CONTROLS = [f"control:{name}" for name in STANDARD_CONTROLS]
MINE = Control("mine", lambda ingredients: Ewma(0.3), passes=("A",))


@pytest.fixture(scope="module")
def small(make_corpus):
    return make_corpus([12] * 6, splits=["TRAIN", "VAL", "OOD"] * 2)


@pytest.fixture
def calls(monkeypatch, make_observations):
    """Every call of the engine. The first window's cosine says who was observed; who is "broken" breaks."""
    made = []

    def observed(named, evaluation, **given):
        made.append((named, evaluation.split, given))
        if "broken" in named.name:
            raise UserError(f"{named.name}: broke on {evaluation.split}." if "each" in named.name else "it broke.")
        return make_observations(n=4, cosine=np.full(4, float(len(named.name))))

    def together(several, evaluation, **given):
        return [observed(named, evaluation, **given) for named in several]

    monkeypatch.setattr(observing, "observe", observed)
    monkeypatch.setattr(observing, "observe_published", lambda *asked, **given: observed(*asked, **given, old=True))
    monkeypatch.setattr(observing, "observe_together", together)
    return made


@pytest.fixture
def ask(make_run, small, as_named, tmp_path):
    """Models of these names, observed: ask(*names, profile=..., additions=...)."""

    def make(*models, **given):
        run = make_run(small, models=models, context=3, horizon=2, **given)
        loaded = {name: as_named(Ewma(0.5), name) for name in models if not name.startswith("control:")}
        return Observing(run.settings, run.inputs, loaded, run.ingredients, tmp_path)

    return make


def test_a_model_is_asked_once_whoever_wants_to_know(ask, calls):
    asked = ask("mine", "other")
    found = asked.observations("mine", "OOD")
    ((named, split, given),) = calls
    assert (named.name, split) == ("mine", "OOD")
    assert given == {"batch_size": 256, "rank_interval": True}
    assert asked.observations("mine", "OOD") is found
    assert asked.file("mine", "OOD").is_file()
    assert ask("mine", "other").both("mine")["OOD"].cosine.tolist() == [4.0] * 4
    assert [split for _, split, _ in calls] == ["OOD", "VAL"]


def test_controls_are_asked_side_by_side_each_once(ask, calls):
    asked = ask("mine", "control:oracle", additions=Additions(controls={"mine": MINE}))
    assert asked.control_names == (*STANDARD_CONTROLS, "mine")
    assert asked.observations("control:oracle", "VAL").cosine[0] == len("control:oracle")
    names = ["control:oracle", *(name for name in CONTROLS if name != "control:oracle"), "control:mine"]
    assert [(named.name, split) for named, split, _ in calls] == [(name, "VAL") for name in names]
    assert calls[0][2] == {"batch_size": 256, "rank_intervals": ["mine", "control:oracle", "control:linear"]}
    for name in names:
        assert asked.observations(name, "VAL").cosine[0] == len(name)
    assert len(calls) == len(names)
    done = asked.piece("control:oracle", "VAL").file
    assert done.read_text().splitlines() == names
    assert [named.only_reads for named, _, _ in calls] == [True] * len(CONTROLS) + [False]
    assert isinstance(calls[-1][0].predictor, Ewma)


def test_the_work_is_one_piece_a_model_and_split_and_one_for_all_controls(ask):
    pieces = ask("mine", "control:oracle", "other").pieces()
    models = [f"{name} on {split}" for name in ("mine", "other") for split in JUDGED]
    assert {piece.what for piece in pieces if piece.alone} == set(models)
    assert sorted(piece.what for piece in pieces if not piece.alone) == ["controls on OOD", "controls on VAL"]
    assert len(pieces) == 6


def test_in_a_synthetic_world_the_optimum_is_a_control(make_run, arrow):
    assert make_run(arrow).observing.control_names == (*STANDARD_CONTROLS, "bayes")


def test_a_model_that_breaks_has_its_sentence_once_and_the_metrics_of_missing_predictions(ask, calls):
    asked = ask("broken", "broken on each", "well")
    assert asked.faults("broken") == ("it broke.",)
    assert asked.faults("broken on each") == tuple(f"broken on each: broke on {split}." for split in JUDGED)
    assert asked.faults("well") == ()
    assert len(calls) == 6
    assert asked.observations("broken", "VAL").cosine[0] == len("control:nan")
    assert asked.observations("well", "VAL").cosine[0] == len("well")
    assert ask("broken").faults("broken") == ("it broke.",), "another process reads what this one met"


def test_a_model_that_is_given_up_is_not_asked(ask, calls):
    asked = ask("mine")
    asked.give_up("mine", "mine: no such thing.")
    assert asked.faults("mine") == ("mine: no such thing.",)
    assert calls == []


def test_the_original_protocol_asks_in_its_own_way(ask, calls):
    asked = ask("mine", profile="5cat-published")
    assert asked.both("mine").keys() == set(JUDGED)
    asked.observations("control:nan", "VAL")
    assert [named.name for named, _, _ in calls] == ["mine", "mine", *CONTROLS]
    assert all(given == {"batch_size": 256, "old": True} for _, _, given in calls)


def test_controls_are_fitted_once_on_a_training_split_else_on_the_other_split(make_run, make_corpus, small):
    shared = ingredients_of(make_run(small, context=3).inputs, 3)
    assert shared["VAL"] is shared["OOD"]
    assert shared["VAL"].seed == 3
    assert set(small.splits[shared["VAL"].training[0].clusters]) == {"TRAIN"}
    without = make_corpus([12] * 4, splits=["VAL", "OOD"] * 2)
    crossed = ingredients_of(make_run(without, context=3).inputs, 0)
    assert {split: set(without.splits[one.training[0].clusters]) for split, one in crossed.items()} == {
        "VAL": {"OOD"},
        "OOD": {"VAL"},
    }
