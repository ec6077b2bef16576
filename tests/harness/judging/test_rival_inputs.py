"""What a model and a control are compared with, with the scores of two rivals given."""

import numpy as np
import pytest

from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.judging import rival_inputs
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.rivals import RivalScores
from lvm_gates.harness.rivals.family import DOMAIN_SUFFIX

NAMES = ("ridge", f"ewma-0.5{DOMAIN_SUFFIX}")


@pytest.fixture(scope="module")
def small(make_corpus):
    return make_corpus([12] * 6, splits=["TRAIN", "VAL", "OOD"] * 2)


@pytest.fixture
def scored(monkeypatch):
    """Splits that rivals were scored on, and closed loops that were run, each by whom and how."""
    made = []

    def score(evaluation, fitted, basis):
        made.append((evaluation.split, fitted, basis))
        n = len(evaluation.windows)
        return RivalScores(NAMES, np.eye(2, 5), np.full((n, 2), 0.5), np.full((n, 2), 0.25))

    def rollout(named, evaluation, **given):
        made.append((named.name, evaluation.split, named.only_reads, given))
        return np.full((len(evaluation.windows), 2), 0.125)

    monkeypatch.setattr(rival_inputs, "cached_fitted_weights", lambda *given: given)
    monkeypatch.setattr(rival_inputs, "score_all", score)
    monkeypatch.setattr(rival_inputs, "observe_rollout", rollout)
    return made


@pytest.fixture
def judged(make_run, small, make_observations, monkeypatch, scored):
    """A run in which ridge has been observed: judged(profile)."""

    def make(profile="5cat"):
        run = make_run(small, profile, context=3, horizon=2)
        observed = {split: make_observations(len(run.inputs.evaluation[split].windows)) for split in JUDGED}
        monkeypatch.setattr(run.observing, "observations", lambda name, split: (name, observed[split])[1])
        return run

    return make


def says(**recorded):
    return NamedPredictor(Identity("m", None, recorded or None), Ewma(0.5))


def test_a_model_is_compared_with_those_that_know_the_domain_unless_it_learnt_from_the_same_text(judged, small):
    rivals = judged().rivals
    for stranger in (says(), says(corpus=None), says(epochs=3), says(corpus={"fingerprint": "another"})):
        assert not rivals.has_met_their_text(stranger)
        assert rivals.of_model(stranger)["VAL"].rivals.names == NAMES
    known = says(corpus={"fingerprint": small.fingerprint})
    assert rivals.has_met_their_text(known)
    assert {split: one.rivals.names for split, one in rivals.of_model(known).items()} == dict.fromkeys(
        JUDGED, NAMES[:1]
    )


def test_rivals_are_scored_once_a_split_with_weights_fitted_on_its_training_windows(judged, scored):
    run = judged()
    for split in JUDGED:
        given = run.rivals.with_domain[split]
        assert given.linear is run.observing.observations("control:linear", split)
        assert given.leaked is run.left_out[split]
        assert given.near_duplicate.tolist() == run.findings.near_duplicates_of(split).tolist()
        assert given.rivals.reciprocal_rank.shape == (len(given.leaked), 2)
    assert [split for split, *_ in scored] == list(JUDGED)
    _, (training, seed, held_out, climatology), basis = scored[0]
    ingredients = run.ingredients["VAL"]
    assert (training, seed) == (ingredients.training, 0)
    assert held_out is ingredients.linear_fit.held_out
    assert climatology is basis.climatology is ingredients.climatology.vector


def test_the_loop_of_a_rival_is_closed_once_where_somebody_is_compared_with_it(judged, scored):
    given = judged().rivals.with_domain["OOD"]
    scored.clear()
    for _ in range(2):
        assert (given.rollout_of("ridge") == 0.125).all()
    assert scored == [("ridge", "OOD", True, {"batch_size": 256})]


def test_controls_are_rolled_out_against_rivals_only_where_the_profile_judges_by_that(judged):
    absolute, skill = judged().rivals.of_controls, judged("skill").rivals
    assert absolute.keys() == set(JUDGED)
    for split in JUDGED:
        assert absolute[split].rivals.names == NAMES[:1]
        assert absolute[split].rollout_of is None
    assert skill.of_controls is skill.without_domain
    assert skill.of_controls["VAL"].rollout_of is not None
