"""Trivial predictors of the frames alone: fixed weights, attention by similarity, medians and products."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ci.trivial_parts import Contexts, Predict, Vectors, age_of, context_mean, ewma, last, mixed, normalised, weighted
from lvm_gates.harness.base.vectors import unit


def between() -> dict[str, Predict]:
    """Decays between those of the grid, and other fixed weights."""

    def fixed(weights: Callable[[Float[np.ndarray, " c"]], Float[np.ndarray, " c"]]) -> Predict:
        return lambda contexts: np.einsum("c,bcd->bd", weights(age_of(contexts)), contexts)

    return {
        **{f"ewma-{decay:g}": ewma(decay) for decay in (0.05, 0.33, 0.75, 0.85, 0.95)},
        "ramp": fixed(lambda age: 1.0 + age.max() - age),
        "harmonic": fixed(lambda age: 1 / (1.0 + age)),
        "last-two": fixed(lambda age: (age < 2).astype(float)),
        "last-three": fixed(lambda age: (age < 3).astype(float)),
        "extrapolated": fixed(lambda age: np.select([age == 0, age == 1], [2.0, -1.0], 0.0)),
        "extrapolated-damped": fixed(lambda age: np.select([age == 0, age == 1], [1.3, -0.3], 0.0)),
        "ewma-0.8-minus-oldest": fixed(lambda age: 0.8**age - 0.3 * (age == age.max())),
    }


def attention() -> dict[str, Predict]:
    """Frames weighted by a softmax of their similarity to the last frame, or to the mean."""

    def to(query: Predict, temperature: float, decay: float = 1.0) -> Predict:
        def predict(contexts: Contexts) -> Vectors:
            similarity = np.einsum("bcd,bd->bc", contexts, unit(query(contexts)))
            weights = np.exp((similarity - similarity.max(axis=1, keepdims=True)) / temperature)
            return weighted(contexts, weights * decay ** age_of(contexts))

        return predict

    return {
        **{f"attention-last-{t:g}": to(last, t) for t in (0.1, 0.3, 1.0)},
        **{f"attention-mean-{t:g}": to(context_mean, t) for t in (0.05, 0.15, 0.5)},
        "attention-last-0.5-decay-0.8": to(last, 0.5, 0.8),
        "attention-mean-0.3-decay-0.8": to(context_mean, 0.3, 0.8),
        "repelled-by-mean": to(context_mean, -0.3, 0.8),
    }


def robust() -> dict[str, Predict]:
    """Medians, trimmed means, medoids, products and powers of the frames."""

    def trimmed(contexts: Contexts) -> Vectors:
        inner = np.sort(contexts, axis=1)[:, 1:-1]
        return np.asarray((inner if inner.shape[1] else contexts).mean(axis=1))

    def medoid(contexts: Contexts) -> Vectors:
        central = np.einsum("bcd,bed->bc", contexts, contexts).argmax(axis=1)
        return contexts[np.arange(len(contexts)), central]

    def without_least_similar(contexts: Contexts) -> Vectors:
        similarity = np.einsum("bcd,bd->bc", contexts, context_mean(contexts))
        kept = np.arange(contexts.shape[1]) != similarity.argmin(axis=1)[:, None]
        return weighted(contexts, kept * 0.8 ** age_of(contexts))

    def product(contexts: Contexts) -> Vectors:
        one, other = last(contexts), context_mean(contexts)
        return np.where(one * other > 0, np.sign(one) * np.sqrt(np.abs(one * other)), 0.0)

    def powered(exponent: float) -> Predict:
        def predict(contexts: Contexts) -> Vectors:
            average = ewma(0.7)(contexts)
            return np.asarray(np.sign(average) * np.abs(average) ** exponent)

        return predict

    return {
        "median": lambda contexts: np.median(contexts, axis=1),
        "median+ewma-0.5": mixed((1.0, lambda contexts: np.median(contexts, axis=1)), (1.0, ewma(0.5))),
        "trimmed-mean": trimmed,
        "medoid": medoid,
        "without-least-similar": without_least_similar,
        "product-of-last-and-mean": product,
        "coordinates-power-0.8": powered(0.8),
        "coordinates-power-1.2": powered(1.2),
        "unit-ewma-0.3+unit-mean": mixed((1.0, normalised(ewma(0.3))), (1.0, normalised(context_mean))),
    }
