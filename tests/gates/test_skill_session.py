"""Sessions under profile `skill`: the oracle is released, no control is, and nothing depends on gates A-E there."""

from pathlib import Path

import numpy as np
import pytest

from harness.corpus import write_corpus


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


def test_a_corpus_that_closes_gate_a_even_to_the_oracle_releases_nobody_under_5cat(make_run, coherent):
    run = make_run("control:oracle", corpus=str(coherent))
    run.prepare()
    card = run.card("control:oracle")
    assert card.decision.verdict == "blocked"
    assert "not true that it passes gate A; margin on VAL +0.0" in card.decision.reasons[0]


def test_under_skill_the_oracle_is_released_there_and_no_control_is(make_run, coherent):
    run = make_run("control:oracle", corpus=str(coherent), profile="skill")
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


def test_a_control_beyond_the_frontier_withholds_every_verdict(make_run, arrow, monkeypatch):
    import harness.run

    # Without ridge on the frontier, ridge itself would look like skill: the session must notice.
    monkeypatch.setattr("harness.statistics.skill.RESAMPLES", 200)
    kept = tuple(c for c in harness.run.FRONTIER_CONTROLS if c != "linear")
    run = make_run("control:oracle", profile="skill")
    run.prepare()
    full = run._skill_inputs
    for split, given in full.items():
        shrunk = {name: control for name, control in given.controls.items() if name in kept}
        shrunk["linear"] = given.controls["climatology"]
        full[split] = type(given)(shrunk, given.near_duplicate, given.seed)
    assert "control:linear misbehaves (not true that it fails gate frontier" in " ".join(run.outside_reasons)
