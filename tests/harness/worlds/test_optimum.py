"""The optimum of a world is the optimum; on `arrow` it passes every gate, on `wiki` it cannot pass gate A."""

from pathlib import Path

import numpy as np
import pytest
from world_metrics import (
    AT_LEAST,
    AT_MOST,
    ROOM,
    C,
    Predict,
    articles_of,
    margin,
    metrics,
    offset_curve,
    optimum,
    ridge,
    unit,
    windows,
)

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.worlds.optimum import BayesPredictor, bayes_predictor, covariances
from lvm_gates.harness.worlds.world import WORLDS, WorldLaw, generate, synthesise


def test_the_optimum_of_arrow_passes_every_gate_with_room() -> None:
    world = generate("arrow")
    found = [metrics(optimum("arrow"), articles_of(world, split)) for split in ("VAL", "OOD")]
    for at, metric in enumerate(found):
        for row, bounds in AT_LEAST.items():
            assert metric[row] >= min(bounds[at] + ROOM, 1.0), (row, metric)
        for row, bound in AT_MOST.items():
            assert metric[row] <= bound - ROOM, (row, metric)
        assert metric["in bin"] > 0.6
    assert abs(found[0]["cosine in bin"] - found[1]["cosine in bin"]) <= 0.02


def test_copying_and_averaging_fail_gate_a_on_arrow() -> None:
    decay = 0.5 ** np.arange(C)[::-1]
    trivial: list[Predict] = [
        lambda c: c[:, -1],
        lambda c: unit(c.mean(axis=1)),
        lambda c: unit((c * decay[:, None]).sum(axis=1)),
    ]
    world = generate("arrow", articles=100)
    for predict in trivial:
        for split in ("VAL", "OOD"):
            assert margin(offset_curve(predict, articles_of(world, split))) < -0.3


@pytest.mark.parametrize("split", ["VAL", "OOD"])
def test_the_optimum_of_wiki_fails_gate_a(split: str) -> None:
    curve = offset_curve(optimum("wiki"), articles_of(generate("wiki"), split))
    assert max(curve, key=lambda k: curve[k]) == 0
    assert margin(curve) < -0.2
    assert curve[1] > 0.5  # it is a good predictor all the same


def test_the_optimum_beats_persistence_and_ridge() -> None:
    for name in ("arrow", "wiki"):
        world = generate(name)
        contexts, targets, _, _ = windows(articles_of(world, "VAL"))
        predictors: dict[str, Predict] = {
            "bayes": optimum(name),
            "ridge": ridge(articles_of(world, "TRAIN")),
            "persistence": lambda c: c[:, -1],
        }
        cosine = {key: float((predict(contexts) * targets).sum(axis=1).mean()) for key, predict in predictors.items()}
        assert cosine["bayes"] > cosine["ridge"] > cosine["persistence"], cosine
        assert cosine["bayes"] - cosine["ridge"] < 0.03, cosine  # a linear map of the context suffices


def test_reversed_is_as_predictable_as_arrow_but_only_by_its_own_law() -> None:
    contexts, targets, _, _ = windows(articles_of(generate("reversed", articles=100), "VAL"))
    own = (optimum("reversed")(contexts) * targets).sum(axis=1).mean()
    foreign = (optimum("arrow")(contexts) * targets).sum(axis=1).mean()
    assert own > 0.8
    assert foreign < 0.3


def test_the_optimum_of_shuffled_ignores_order() -> None:
    contexts, targets, _, _ = windows(articles_of(generate("shuffled", articles=100), "VAL"))
    predict = optimum("shuffled")
    np.testing.assert_allclose(predict(contexts), predict(contexts[:, ::-1]), atol=1e-6)
    mean = unit(contexts.mean(axis=1))
    assert (predict(contexts) * targets).sum(axis=1).mean() > (mean * targets).sum(axis=1).mean()


def kalman(law: WorldLaw, mean: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Predict one target by the textbook recursion in real coordinates; state = topic and every component."""
    dim, sense = len(mean), -1 if law.transform == "reverse" else 1
    turn = np.zeros((dim, dim))
    for plane, angle in enumerate(sense * np.deg2rad(np.linspace(*law.angles, dim // 2))):
        cos, sin = np.cos(angle), np.sin(angle)
        turn[2 * plane : 2 * plane + 2, 2 * plane : 2 * plane + 2] = [[cos, -sin], [sin, cos]]
    topic = np.full(dim, law.beta * (1 - law.subject) / dim)
    topic[:2] += law.beta * law.subject / 2
    blocks = 1 + len(law.components)
    step, drive, prior = (np.zeros((blocks * dim, blocks * dim)) for _ in range(3))
    step[:dim, :dim], prior[:dim, :dim] = np.eye(dim), np.diag(topic)
    for block, (share, rho) in enumerate(law.components, start=1):
        at = slice(block * dim, (block + 1) * dim)
        step[at, at] = rho * turn
        drive[at, at] = share / dim * (1 - rho**2) * np.eye(dim)
        prior[at, at] = share / dim * np.eye(dim)
    see = np.tile(np.eye(dim), blocks)
    state, spread = np.zeros(blocks * dim), prior
    for frame in context.astype(np.float64):
        seen = see @ spread @ see.T + law.nu / dim * np.eye(dim)
        gain = np.linalg.solve(seen, see @ spread).T
        state = state + gain @ (frame - mean - see @ state)
        spread = spread - gain @ see @ spread
        state, spread = step @ state, step @ spread @ step.T + drive
    return unit(mean + see @ state)


@pytest.mark.parametrize("name", ["arrow", "reversed", "wiki"])
@pytest.mark.parametrize("context", [1, 5, 8])
def test_conditioning_equals_a_step_by_step_kalman_filter(name: str, context: int) -> None:
    law, dim = WORLDS[name], 8
    mean = law.mean(dim, 0)
    frames = generate(name, articles=10, dim=dim).vectors[: 6 * context].reshape(6, context, dim)
    expected = np.stack([kalman(law, mean, one) for one in frames])
    np.testing.assert_allclose(BayesPredictor(law, mean).predict(frames), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["arrow", "reversed", "wiki"])
def test_the_stated_covariance_is_the_measured_one(name: str) -> None:
    """Guards against law and generator agreeing with each other in a test but not with the data."""
    law, dim = WORLDS[name], 64
    chunks = articles_of(generate(name, articles=500, dim=dim), "TRAIN")
    planes = [(a.astype(np.float64) - law.mean(dim, 0)).view(np.complex128) for a in chunks]
    stated = covariances(law, dim, 4)
    for lag in range(4):
        measured = np.concatenate([p[lag:] * p[: len(p) - lag].conj() for p in planes]).mean(axis=0)
        # Planes other than the subject's, on average over them and relative to a plane's variance.
        error = (measured - stated[:, lag, 0])[1:] * dim / 2
        assert abs(error.mean()) < 0.02
        assert np.abs(error).mean() < 0.06


@pytest.mark.parametrize("name", WORLDS)
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    contexts, _, _, _ = windows(articles_of(generate(name, articles=10), "VAL"))
    predict = optimum(name)
    whole = predict(contexts)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    for size in (1, 3, 7):
        parts = [predict(contexts[i : i + size]) for i in range(0, len(contexts), size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_it_is_built_from_what_the_corpus_records(tmp_path: Path) -> None:
    corpus = synthesise("arrow", tmp_path / "arrow", articles=10, dim=16, seed=7)
    law = WORLDS["arrow"]
    contexts = np.asarray(corpus.stored[:10]).reshape(2, 5, 16)
    expected = BayesPredictor(law, law.mean(16, 7)).predict(contexts)
    np.testing.assert_array_equal(bayes_predictor(corpus).predict(contexts), expected)


def test_real_text_and_foreign_generators_are_refused(tmp_path: Path) -> None:
    vectors = np.eye(8, dtype=np.float32)
    for meta, message in (
        ({"kind": "text"}, "control:bayes needs a synthetic dataset"),
        ({"kind": "synthetic", "generator_version": 0}, "version 0 of the generator"),
    ):
        corpus = write_corpus(tmp_path / "x", vectors, np.array([8]), splits=np.array(["VAL"]), meta=meta)
        with pytest.raises(UserError, match=message):
            bayes_predictor(corpus)
