"""Synthetic dataset `switch`: no linear map follows it, its optimum is known and passes every gate."""

import dataclasses
import itertools

import numpy as np
import pytest
from world_metrics import (
    AT_LEAST,
    AT_MOST,
    ROOM,
    C,
    articles_of,
    margin,
    metrics,
    offset_curve,
    optimum,
    ridge,
    unit,
    windows,
)

from lvm_gates.harness.worlds.optimum import BayesPredictor
from lvm_gates.harness.worlds.parameters import WORLDS, WorldLaw
from lvm_gates.harness.worlds.switching import Switch, named_turns
from lvm_gates.harness.worlds.world import draw, generate

LAW = WORLDS["switch"]


@pytest.fixture(scope="module")
def world():
    return generate("switch")


def cosine(predict, contexts, targets):
    return float((unit(predict(contexts)) * targets).sum(axis=1).mean())


def test_the_optimum_passes_every_gate_with_room(world):
    found = [metrics(optimum("switch"), articles_of(world, split)) for split in ("VAL", "OOD")]
    for at, metric in enumerate(found):
        for row, bounds in AT_LEAST.items():
            assert metric[row] >= min(bounds[at] + ROOM, 0.98), (row, metric)
        for row, bound in AT_MOST.items():
            assert metric[row] <= bound - ROOM, (row, metric)
        assert metric["in bin"] > 0.25
    assert abs(found[0]["cosine in bin"] - found[1]["cosine in bin"]) <= 0.02


def test_nothing_linear_passes_gate_a_or_gate_b(world):
    """Blends of frames, ridge and climatology with random weights, negative ones too; none has a margin to speak of."""
    training = articles_of(world, "TRAIN")
    fitted = ridge(training)
    climatology = unit(np.concatenate(training).mean(axis=0))
    rng = np.random.default_rng(0)
    single = [*np.eye(C + 2), np.r_[np.ones(C), 0, 0], np.r_[0.8 ** np.arange(C)[::-1], 0, 0]]
    blends = [*single, *rng.standard_normal((8, C + 2))]
    for split in ("VAL", "OOD"):
        articles = articles_of(world, split)
        for weights in blends:

            def blend(contexts, weights=weights):
                frames = np.einsum("c,bcd->bd", weights[:C], contexts)
                return unit(frames + weights[C] * fitted(contexts) + weights[C + 1] * climatology)

            assert margin(offset_curve(blend, articles)) < 0.05, weights
    for split in ("VAL", "OOD"):
        metric = metrics(fitted, articles_of(world, split))
        assert metric["margin"] < 0.05
        assert metric["R@1"] < 0.2


def test_the_switched_state_is_uncorrelated_with_everything_in_the_context(world):
    """Least squares on 20,000 windows explains none of it; the optimum explains most."""
    contexts, targets, _, _ = windows(articles_of(world, "TRAIN"))
    held_contexts, held_targets, _, _ = windows(articles_of(world, "VAL"))
    planes = slice(2 * LAW.ordinary(LAW.dim), -2)
    flat = contexts.reshape(len(contexts), -1)
    mean = LAW.mean(LAW.dim, 0)[planes]
    weights = np.linalg.lstsq(flat, targets[:, planes] - mean, rcond=None)[0]
    held = held_targets[:, planes] - mean

    def explained(predicted):
        return 1 - ((held - predicted) ** 2).sum() / (held**2).sum()

    assert explained(held_contexts.reshape(len(held), -1) @ weights) < 0.02
    assert explained(optimum("switch")(held_contexts)[:, planes] - mean) > 0.7


def test_the_optimum_beats_every_rival_we_could_think_of(world):
    training, held = articles_of(world, "TRAIN"), articles_of(world, "VAL")
    contexts, targets, _, _ = windows(training)
    held_contexts, held_targets, _, _ = windows(held)
    mean = LAW.mean(LAW.dim, 0)
    turn = named_turns(contexts - mean, LAW.switch)[:, -1]
    per_turn = [_ridge_of(contexts[turn == j, -2:], targets[turn == j]) for j in range(LAW.switch.turns)]

    def told_the_turn(c):
        named = named_turns(c - mean, LAW.switch)[:, -1]
        predicted = np.empty((len(c), LAW.dim))
        for j, predict in enumerate(per_turn):
            predicted[named == j] = predict(c[named == j, -2:])
        return predicted

    best = cosine(optimum("switch"), held_contexts, held_targets)
    rivals = {
        "persistence": lambda c: c[:, -1],
        "mean": lambda c: c.mean(axis=1),
        "best linear": BayesPredictor(LAW, mean, follows=0.0).predict,
        "ridge": ridge(training),
        "ridge for each turn, which it is told": told_the_turn,
        "nearest training context": lambda c: targets[(c[:, -1] @ contexts[::4, -1].T).argmax(axis=1) * 4],
        "half of it": BayesPredictor(LAW, mean, follows=0.5).predict,
        "more of it": BayesPredictor(LAW, mean, follows=1.3).predict,
        "no noise assumed": BayesPredictor(_changed(rho=0.999), mean).predict,
        "much noise assumed": BayesPredictor(_changed(rho=0.8), mean).predict,
    }
    found = {name: cosine(predict, held_contexts, held_targets) for name, predict in rivals.items()}
    assert max(found.values()) < best, (best, found)
    assert found["ridge"] < found["best linear"] + 0.005 < best - 0.2, (best, found)


def _changed(**changes):
    return dataclasses.replace(LAW, switch=dataclasses.replace(LAW.switch, **changes))


def _ridge_of(contexts, targets):
    flat = contexts.reshape(len(contexts), -1)
    x0, y0 = flat.mean(axis=0), targets.mean(axis=0)
    x = flat - x0
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ (targets - y0))
    return lambda c: (c.reshape(len(c), -1) - x0) @ weights + y0


def posterior_mean(law, mean, context):
    """E[x_C+1 | context] by summing over every sequence of turns, with dense real Gaussians and no code of ours."""
    switch, dim, frames = law.switch, len(mean), len(context)
    first = dim - 2 * switch.planes - 2
    angles = 2 * np.pi / switch.turns * np.arange(switch.turns)

    def rotation(by):
        block = np.zeros((2 * switch.planes, 2 * switch.planes))
        for plane in range(switch.planes):
            cos, sin = np.cos(by[plane]), np.sin(by[plane])
            block[2 * plane : 2 * plane + 2, 2 * plane : 2 * plane + 2] = [[cos, -sin], [sin, cos]]
        return block

    own = np.diag(np.full(dim, law.nu / dim))
    topic = np.zeros(dim)
    topic[:first] = law.beta * (1 - law.subject) / first
    topic[:2] += law.beta * law.subject / 2
    logs, means = [], []
    for turns in itertools.product(range(switch.turns), repeat=frames):
        expected = np.tile(mean, (frames + 1, 1))
        for t, j in enumerate(turns):
            expected[t, -2:] += np.sqrt(switch.index) * np.array([np.cos(angles[j]), np.sin(angles[j])])
        last = angles[turns[-1]]
        expected[-1, -2:] += switch.stay * np.sqrt(switch.index) * np.array([np.cos(last), np.sin(last)])
        # Propagators of the state from frame t to frame u.
        steps = [rotation(angles[j] + 2 * np.pi * np.arange(switch.planes) / switch.planes) for j in turns]
        covariance = np.zeros((frames + 1, dim, frames + 1, dim))
        for t in range(frames + 1):
            moved = np.eye(2 * switch.planes) * switch.share / switch.planes / 2
            for u in range(t, frames + 1):
                part = np.diag(topic) + (own if t == u else 0)
                part[first:-2, first:-2] += moved
                covariance[u, :, t, :], covariance[t, :, u, :] = part, part.T
                if u < frames:
                    moved = switch.rho * steps[u] @ moved
        seen, size = covariance[:frames, :, :frames, :].reshape(frames * dim, -1), frames * dim
        error = (context - expected[:frames]).ravel()
        solved = np.linalg.solve(seen, error)
        log = -0.5 * error @ solved - 0.5 * np.linalg.slogdet(seen)[1]
        for a, b in itertools.pairwise(turns):
            log += np.log(switch.stay * (a == b) + (1 - switch.stay) / switch.turns)
        logs.append(log)
        means.append(expected[-1] + covariance[-1, :, :frames, :].reshape(dim, size) @ solved)
    weights = np.exp(np.array(logs) - max(logs))
    return (weights / weights.sum()) @ np.array(means)


@pytest.mark.parametrize("frames", [1, 3])
def test_it_is_the_posterior_mean_over_every_sequence_of_turns(frames):
    law = WorldLaw(0.1, 0.2, (), switch=Switch(share=0.4, rho=0.9, index=0.26, planes=2))
    dim = 12
    mean = law.mean(dim, 0)
    contexts = draw(law, articles=10, dim=dim).vectors[: 12 * frames].reshape(12, frames, dim)
    expected = np.stack([unit(posterior_mean(law, mean, c.astype(np.float64))) for c in contexts])
    # Turns are misread once in 20,000 frames here, and weigh no more in the posterior.
    assert law.switch.misread(law.nu / dim) < 1e-4
    np.testing.assert_allclose(BayesPredictor(law, mean).predict(contexts), expected, atol=1e-4)


def test_turns_are_read_without_error(world):
    """The index of 25,000 chunks lies within half the way to the next turn, as the law says."""
    assert LAW.switch.misread(LAW.nu / LAW.dim) < 1e-9
    index = world.vectors.astype(np.float64)[:, -2:] - LAW.mean(LAW.dim, 0)[-2:]
    turns = np.arctan2(index[:, 1], index[:, 0]) / (2 * np.pi) * LAW.switch.turns
    assert np.abs(turns - np.rint(turns)).max() < 0.5
    assert np.quantile(np.abs(turns - np.rint(turns)), 0.999) < 0.35


def test_misread_is_the_measured_share():
    switch = Switch(share=0.1, rho=0.9, index=0.02)
    rng = np.random.default_rng(0)
    frames = np.sqrt(0.004) * rng.standard_normal((100_000, 1, 2))
    frames[..., 0] += np.sqrt(switch.index)
    assert (named_turns(frames, switch) != 0).mean() == pytest.approx(switch.misread(0.004), rel=0.05)


@pytest.mark.parametrize("transform", ["reverse", "shuffle"])
def test_a_switched_world_runs_forwards(transform):
    with pytest.raises(ValueError, match="known forwards only"):
        dataclasses.replace(LAW, transform=transform)
