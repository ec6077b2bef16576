"""Sessions under profile `skill`: the oracle is released, no control is, and nothing depends on gates A-E there."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.rivals import Blend, RivalScores
from lvm_gates.harness.rivals.family import ewma_weights
from lvm_gates.harness.statistics.skill import skill_metrics
from lvm_gates.harness.worlds.world import synthesise


@pytest.fixture(scope="module")
def coherent(tmp_path_factory) -> Path:
    """Articles so coherent (adjacent cosine .9) that a perfect oracle misses gate A's margin of .12."""
    rng = np.random.default_rng(0)
    articles = []
    for _ in range(60):
        state = rng.standard_normal(48)
        for _ in range(40):
            articles.append(state)
            state = 0.9 * state + np.sqrt(1 - 0.81) * rng.standard_normal(48)
    vectors = np.array(articles)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    folder = tmp_path_factory.mktemp("coherent") / "c"
    splits = np.repeat(["TRAIN", "VAL", "OOD"], 20)
    write_corpus(folder, vectors.astype(np.float32), np.full(60, 40), splits=splits, meta={})
    return folder


@pytest.fixture(scope="module")
def observed_there(observe_all, coherent) -> Path:
    return observe_all(coherent)


def test_a_corpus_that_closes_gate_a_even_to_the_oracle_releases_nobody_under_5cat(make_run, coherent, observed_there):
    run = make_run("control:oracle", corpus=str(coherent), beside=observed_there)
    run.prepare()
    card = run.card("control:oracle")
    assert card.decision.verdict == "blocked"
    assert "not true that it passes gate A; margin on VAL +0.0" in card.decision.reasons[0]


def test_under_skill_the_oracle_is_released_there_and_no_control_is(make_run, coherent, observed_there):
    run = make_run("control:oracle", corpus=str(coherent), profile="skill", beside=observed_there)
    run.prepare()
    assert run.outside_reasons == []
    assert run.card("control:oracle").decision.verdict == "release"
    for name in run.control_names:
        assert run.control_card(name).decision.verdict == ("release" if name == "oracle" else "hold") or name in (
            "climatology",
            "random",
            "constant",
            "noisy-constant",
            "nan",
        ), name


def test_a_control_beyond_the_frontier_withholds_every_verdict(make_run, observed):
    """Without ridge among the rivals, ridge itself would look like skill: the session must notice."""
    run = make_run("control:oracle", profile="skill", beside=observed)
    run.prepare()
    for split, given in run.rivals.without_domain.items():
        kept = np.flatnonzero(given.rivals.weights[:, -2] == 0.0)
        shrunk = RivalScores(
            tuple(given.rivals.names[i] for i in kept),
            given.rivals.weights[kept],
            given.rivals.cosine[:, kept],
            given.rivals.reciprocal_rank[:, kept],
        )
        run.rivals.without_domain[split] = dataclasses.replace(given, rivals=shrunk)
    assert "control:linear fails its check (not true that it fails gate frontier" in " ".join(run.outside_reasons)


@pytest.mark.parametrize("blend", ["ewma-0.8 +0.1 climatology", "ewma-0.8 +0.6 ridge", "ewma-0.75"])
def test_no_blend_of_trivial_parts_is_released(make_run, observed, blend):
    """The first two were released while the frontier held fourteen controls and not what they span."""
    run = make_run("control:oracle", profile="skill", beside=observed)
    run.prepare()
    for split, given in run.rivals.without_domain.items():
        if blend == "ewma-0.75":  # between the grid's decays
            weights = np.append(ewma_weights(0.75, 5), [0.0, 0.0])
        else:
            weights = given.rivals.weights[given.rivals.names.index(blend)]
        predictor = Blend(run.rivals.basis(split), weights)
        observed = observe(NamedPredictor(Identity(blend), predictor), run.inputs.evaluation[split], batch_size=64)
        found = skill_metrics(observed, given)
        assert not (found["F"].low > 0 and found["F"].value >= 0.002), split
        assert not (found["excess_cosine"].low > 0 and found["excess_cosine"].value >= 0.002), split


def test_in_the_default_world_the_optimum_is_released_and_ridge_is_not(make_run, tmp_path):
    synthesise("switch", tmp_path / "switch", articles=100)
    run = make_run("control:bayes", "control:linear", corpus=str(tmp_path / "switch"), profile="skill")
    run.prepare()
    assert run.outside_reasons == []
    assert run.card("control:bayes").decision.verdict == "release"
    assert run.card("control:linear").decision.verdict == "hold"


def test_rivals_know_the_judged_domain_unless_the_model_learnt_from_what_they_did(make_run, observed, monkeypatch):
    """A mean of the judged text is no skill; whoever records his training text is held to what that text tells."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    models = ("python:predictors:LastFrame", "control:oracle")
    run = make_run(*models, profile="skill", in_process=True, beside=observed)
    run.prepare()
    stranger = run.card("python:predictors:LastFrame").skill["VAL"]
    assert stranger["rivals_know_domain"]
    assert not run.card("control:oracle").skill["VAL"]["rivals_know_domain"]
    assert stranger["rivals"] > run.card("control:oracle").skill["VAL"]["rivals"]
    known = dataclasses.replace(
        run.loaded["python:predictors:LastFrame"],
        identity=Identity("m", None, {"corpus": {"fingerprint": run.inputs.corpus.fingerprint}}),
    )
    assert run.rivals.has_met_their_text(known)
    assert not run.rivals.has_met_their_text(run.loaded["python:predictors:LastFrame"])
