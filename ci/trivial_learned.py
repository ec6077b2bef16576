"""Trivial predictors that learn a little: a mean, a spectrum, a ridge or a memory (`ci.trivial_fits`)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ci.trivial_fits import Fitted
from ci.trivial_parts import (
    Contexts,
    Predict,
    Vectors,
    age_of,
    coherence,
    constant,
    context_mean,
    ewma,
    last,
    mixed,
    normalised,
    weighted,
)
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.linear import Linear


def shrunk(fitted: Fitted) -> dict[str, Predict]:
    """EWMAs moved towards climatology or away from it, by an amount that is fixed or that the context decides."""
    middle = unit(fitted.climatology)

    def without_middle(share: float) -> Predict:
        def predict(contexts: Contexts) -> Vectors:
            average = ewma(0.75)(contexts)
            return average - share * (average @ middle)[:, None] * middle

        return predict

    def by_length(contexts: Contexts) -> Vectors:
        # Frames that disagree leave a short mean: the less is known, the more climatology.
        average = ewma(0.8)(contexts)
        return average + 0.3 * (1 - np.linalg.norm(average, axis=1, keepdims=True)) * middle

    return {
        "ewma-0.75+0.07-climatology": mixed((1.0, ewma(0.75)), (0.07, constant(middle))),
        "ewma-0.85+0.13-climatology": mixed((1.0, ewma(0.85)), (0.13, constant(middle))),
        "ewma-0.75-0.13-climatology": mixed((1.0, ewma(0.75)), (-0.13, constant(middle))),
        "ewma-0.75-half-centred": without_middle(0.5),
        "ewma-0.75-centred": without_middle(1.0),
        "ewma-0.8+climatology-by-length": by_length,
    }


def spectral(fitted: Fitted) -> dict[str, Predict]:
    """Gains along the principal components of the training chunks, and decays that differ between bands of them."""
    mean, basis = fitted.mean, fitted.basis
    order = np.arange(len(mean))
    # Some encoders leave directions without any variance.
    relative = np.maximum(fitted.variance / fitted.variance[0], 1e-4)

    def filtered(base: Predict, gain: Float[np.ndarray, " d"]) -> Predict:
        return lambda contexts: mean + ((base(contexts) - mean) @ basis * gain) @ basis.T

    def bands(decays: tuple[float, float, float]) -> Predict:
        band = np.searchsorted([len(order) // 24, len(order) // 4], order, side="right")

        def predict(contexts: Contexts) -> Vectors:
            parts = np.stack([(ewma(decay)(contexts) - mean) @ basis for decay in decays])
            return mean + parts[band, :, order].T @ basis.T

        return predict

    def fitted_components(contexts: Contexts) -> Vectors:
        return mean + np.einsum("bcd,cd->bd", (contexts - mean) @ basis, fitted.by_component) @ basis.T

    base = ewma(0.7)
    return {
        "powers-0.9": filtered(base, relative**-0.05),
        "powers-0.8": filtered(base, relative**-0.1),
        "powers-1.2": filtered(base, relative**0.1),
        "powers-1.5": filtered(base, relative**0.25),
        "whitened": filtered(base, (relative + 0.01) ** -0.5),
        "wiener": filtered(base, relative / (relative + 0.02)),
        "top-sixth": filtered(base, (order < len(order) // 6).astype(float)),
        "top-half": filtered(base, (order < len(order) // 2).astype(float)),
        "tail-flipped": filtered(base, np.where(order < len(order) // 2, 1.0, -1.0)),
        "tail-flipped-0.3": filtered(base, np.where(order < len(order) // 2, 1.0, -0.3)),
        "head-flipped": filtered(base, np.where(order < 4, -1.0, 1.0)),
        "bands-slow-head": bands((0.95, 0.7, 0.4)),
        "bands-fast-head": bands((0.4, 0.7, 0.95)),
        "by-component": fitted_components,
        "by-component+ewma-0.5": mixed((1.0, normalised(fitted_components)), (1.0, normalised(ewma(0.5)))),
    }


def adaptive(fitted: Fitted) -> dict[str, Predict]:
    """Decays and shares that the coherence of the context decides."""

    def decayed(decay_of: Callable[[Contexts], Float[np.ndarray, " b"]]) -> Predict:
        return lambda contexts: weighted(contexts, np.clip(decay_of(contexts), 0, 1)[:, None] ** age_of(contexts))

    def either(choose: Callable[[Contexts], np.ndarray], first: Predict, second: Predict) -> Predict:
        return lambda contexts: np.where(choose(contexts)[:, None], unit(first(contexts)), unit(second(contexts)))

    def last_step(contexts: Contexts) -> Float[np.ndarray, " b"]:
        return np.asarray(np.einsum("bd,bd->b", contexts[:, -1], contexts[:, max(contexts.shape[1] - 2, 0)]))

    def last_to_mean(contexts: Contexts) -> Float[np.ndarray, " b"]:
        return np.asarray(np.einsum("bd,bd->b", contexts[:, -1], unit(context_mean(contexts))))

    def with_ridge(contexts: Contexts) -> Vectors:
        share = np.clip(0.8 - coherence(contexts), 0, 1)[:, None]
        return unit(ewma(0.7)(contexts)) * (1 - share) + share * unit(fitted.linear.predict(contexts))

    return {
        "decay-rises-with-coherence": decayed(lambda c: 0.4 + coherence(c)),
        "decay-falls-with-coherence": decayed(lambda c: 1.0 - 0.8 * coherence(c)),
        "decay-by-last-step": decayed(lambda c: 0.9 - 0.5 * last_step(c)),
        "better-of-two-by-step": either(lambda c: last_step(c) > 0.4, ewma(0.3), ewma(0.9)),
        "better-of-two-by-mean": either(lambda c: last_to_mean(c) > 0.65, ewma(0.5), ewma(0.95)),
        "worse-of-two-by-mean": either(lambda c: last_to_mean(c) > 0.65, ewma(0.95), ewma(0.5)),
        "ridge-where-incoherent": with_ridge,
    }


def perturbed(fitted: Fitted) -> dict[str, Predict]:
    """Noise and dropout that the context itself seeds: the same context always gets the same answer."""
    dim = len(fitted.mean)
    directions = np.random.default_rng(0).standard_normal((dim, dim)) / np.sqrt(dim)

    def hashed(contexts: Contexts) -> Vectors:
        # A wild function of the context: unlike a seeded stream it does not depend on the order of the windows.
        return unit(np.sin(1e3 * (contexts.sum(axis=1) @ directions)))

    def noisy(share: float) -> Predict:
        return mixed((1.0, normalised(ewma(0.7))), (share, hashed))

    def dropped(contexts: Contexts) -> Vectors:
        frames = contexts.shape[1]
        gone = (np.abs(hashed(contexts)[:, 0]) * 1e4).astype(int) % frames
        return weighted(contexts, (np.arange(frames) != gone[:, None]) * 0.8 ** age_of(contexts))

    return {"noise-0.1": noisy(0.1), "noise-0.3": noisy(0.3), "dropped-frame": dropped}


def recalled(fitted: Fitted) -> dict[str, Predict]:
    """What followed the most similar training chunks."""
    memory = fitted.memory

    def following(query: Predict, count: int) -> Predict:
        def predict(contexts: Contexts) -> Vectors:
            similarity, found = memory.nearest(query(contexts))
            weights = np.exp(similarity[:, :count] / 0.1)
            return np.einsum(
                "bk,bkd->bd", weights / weights.sum(axis=1, keepdims=True), memory.successors[found[:, :count]]
            )

        return predict

    def by_analogy(contexts: Contexts) -> Vectors:
        found = memory.nearest(last(contexts))[1][:, 0]
        return last(contexts) + 0.3 * (memory.successors[found] - memory.chunks[found])

    one, several = normalised(following(last, 1)), normalised(following(last, 8))
    return {
        "neighbour": one,
        "neighbours": several,
        "neighbour-0.2+ewma-0.7": mixed((0.2, one), (0.8, normalised(ewma(0.7)))),
        "neighbours-0.2+ewma-0.5": mixed((0.2, several), (0.8, normalised(ewma(0.5)))),
        "neighbours-0.2+ewma-0.8": mixed((0.2, several), (0.8, normalised(ewma(0.8)))),
        "analogy": by_analogy,
    }


def ridges(fitted: Fitted) -> dict[str, Predict]:
    """Other ridges than the control, and blends in which the parts are normalised first."""
    ridge = normalised(fitted.linear.predict)
    blends: dict[str, Predict] = {
        "0.75-ewma-0.8+0.25-ridge": mixed((0.75, ewma(0.8)), (0.25, fitted.linear.predict)),
        "0.85-ewma-0.55+0.15-ridge": mixed((0.85, ewma(0.55)), (0.15, fitted.linear.predict)),
        "unit-ridge-0.3+unit-ewma-0.3": mixed((0.3, ridge), (0.7, normalised(ewma(0.3)))),
        "unit-ridge-0.5+unit-ewma-0.8": mixed((0.5, ridge), (0.5, normalised(ewma(0.8)))),
        "product-of-ridge-and-ewma": _geometric(fitted.linear.predict, ewma(0.8)),
    }
    for name, one in fitted.ridges.items():
        blends |= {f"ridge-{name}": one.predict, f"ridge-{name}-0.3+ewma-0.7": _with_ewma(one)}
    return blends


def _with_ewma(ridge: Linear) -> Predict:
    return mixed((0.3, normalised(ridge.predict)), (0.7, normalised(ewma(0.7))))


def _geometric(first: Predict, second: Predict) -> Predict:
    """The signed geometric mean of two predictions, coordinate by coordinate."""

    def predict(contexts: Contexts) -> Vectors:
        product = first(contexts) * second(contexts)
        return np.asarray(np.where(product > 0, np.sign(second(contexts)) * np.sqrt(np.abs(product)), 0.0))

    return predict


def foreign(fitted: Fitted) -> dict[str, Predict]:
    """Means and ridges of other corpora, brought along."""
    found: dict[str, Predict] = {}
    for name, (mean, ridge) in fitted.foreign.items():
        found |= {
            f"ewma-0.8+0.1-mean-of-{name}": mixed((1.0, ewma(0.8)), (0.1, constant(mean))),
            f"ewma-0.8-0.1-mean-of-{name}": mixed((1.0, ewma(0.8)), (-0.1, constant(mean))),
            f"ridge-of-{name}": ridge.predict,
            f"ridge-of-{name}-0.3+ewma-0.7": _with_ewma(ridge),
        }
    return found
