"""Predictors that anybody writes down in a line and that profile `skill` must not release.

None is in the family of rivals, unit(sum_j w_j frame_j + r ridge + s climatology) on a grid: they lie between its
points, let the weights depend on the context, or are another function altogether. Each takes contexts (B, C, D) of
unit frames and returns (B, D); the caller normalises.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ci.trivial_fits import Fitted
from harness.controls.linear import Linear
from harness.controls.simple import Ewma
from harness.predictor import unit

Contexts = Float[np.ndarray, "b c d"]
Vectors = Float[np.ndarray, "b d"]
Predict = Callable[[Contexts], Vectors]


def library(fitted: Fitted) -> dict[str, Predict]:
    """Every trivial predictor by name."""
    return {
        **_between(),
        **_shrunk(fitted),
        **_spectral(fitted),
        **_attention(),
        **_adaptive(fitted),
        **_robust(),
        **_perturbed(fitted),
        **_recall(fitted),
        **_ridges(fitted),
        **_foreign(fitted),
    }


def _ewma(decay: float) -> Predict:
    return Ewma(decay).predict


def _last(contexts: Contexts) -> Vectors:
    return contexts[:, -1]


def _mean(contexts: Contexts) -> Vectors:
    return np.asarray(contexts.mean(axis=1))


def _weighted(contexts: Contexts, weights: Float[np.ndarray, "b c"]) -> Vectors:
    """Frames under weights of each context's own; they need not add to one."""
    return np.asarray(np.einsum("bc,bcd->bd", weights, contexts))


def _sum(*parts: tuple[float, Predict]) -> Predict:
    return lambda contexts: np.sum([share * part(contexts) for share, part in parts], axis=0)


def _unit(predict: Predict) -> Predict:
    return lambda contexts: unit(predict(contexts))


def _constant(vector: Float[np.ndarray, " d"]) -> Predict:
    return lambda contexts: np.broadcast_to(vector, contexts[:, 0].shape)


def _age(contexts: Contexts) -> Float[np.ndarray, " c"]:
    return np.arange(contexts.shape[1], dtype=np.float64)[::-1]


def _between() -> dict[str, Predict]:
    """Decays between those of the grid, and other fixed weights."""

    def fixed(weights: Callable[[Float[np.ndarray, " c"]], Float[np.ndarray, " c"]]) -> Predict:
        return lambda contexts: np.einsum("c,bcd->bd", weights(_age(contexts)), contexts)

    return {
        **{f"ewma-{decay:g}": _ewma(decay) for decay in (0.05, 0.33, 0.75, 0.85, 0.95)},
        "ramp": fixed(lambda age: 1.0 + age.max() - age),
        "harmonic": fixed(lambda age: 1 / (1.0 + age)),
        "last-two": fixed(lambda age: (age < 2).astype(float)),
        "last-three": fixed(lambda age: (age < 3).astype(float)),
        "extrapolated": fixed(lambda age: np.select([age == 0, age == 1], [2.0, -1.0], 0.0)),
        "extrapolated-damped": fixed(lambda age: np.select([age == 0, age == 1], [1.3, -0.3], 0.0)),
        "ewma-0.8-less-oldest": fixed(lambda age: 0.8**age - 0.3 * (age == age.max())),
    }


def _shrunk(fitted: Fitted) -> dict[str, Predict]:
    """EWMAs moved towards climatology or away from it, by an amount that is fixed or that the context decides."""
    middle = unit(fitted.climatology)

    def without_middle(share: float) -> Predict:
        def predict(contexts: Contexts) -> Vectors:
            average = _ewma(0.75)(contexts)
            return average - share * (average @ middle)[:, None] * middle

        return predict

    def by_length(contexts: Contexts) -> Vectors:
        # Frames that disagree leave a short mean: the less is known, the more climatology.
        average = _ewma(0.8)(contexts)
        return average + 0.3 * (1 - np.linalg.norm(average, axis=1, keepdims=True)) * middle

    return {
        "ewma-0.75+0.07-climatology": _sum((1.0, _ewma(0.75)), (0.07, _constant(middle))),
        "ewma-0.85+0.13-climatology": _sum((1.0, _ewma(0.85)), (0.13, _constant(middle))),
        "ewma-0.75-0.13-climatology": _sum((1.0, _ewma(0.75)), (-0.13, _constant(middle))),
        "ewma-0.75-half-centred": without_middle(0.5),
        "ewma-0.75-centred": without_middle(1.0),
        "ewma-0.8+climatology-by-length": by_length,
    }


def _spectral(fitted: Fitted) -> dict[str, Predict]:
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
            parts = np.stack([(_ewma(decay)(contexts) - mean) @ basis for decay in decays])
            return mean + parts[band, :, order].T @ basis.T

        return predict

    def fitted_components(contexts: Contexts) -> Vectors:
        return mean + np.einsum("bcd,cd->bd", (contexts - mean) @ basis, fitted.by_component) @ basis.T

    base = _ewma(0.7)
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
        "by-component+ewma-0.5": _sum((1.0, _unit(fitted_components)), (1.0, _unit(_ewma(0.5)))),
    }


def _attention() -> dict[str, Predict]:
    """Frames weighted by a softmax of their similarity to the last frame, or to the mean."""

    def to(query: Predict, temperature: float, decay: float = 1.0) -> Predict:
        def predict(contexts: Contexts) -> Vectors:
            similarity = np.einsum("bcd,bd->bc", contexts, unit(query(contexts)))
            weights = np.exp((similarity - similarity.max(axis=1, keepdims=True)) / temperature)
            return _weighted(contexts, weights * decay ** _age(contexts))

        return predict

    return {
        **{f"attention-last-{t:g}": to(_last, t) for t in (0.1, 0.3, 1.0)},
        **{f"attention-mean-{t:g}": to(_mean, t) for t in (0.05, 0.15, 0.5)},
        "attention-last-0.5-decay-0.8": to(_last, 0.5, 0.8),
        "attention-mean-0.3-decay-0.8": to(_mean, 0.3, 0.8),
        "repelled-by-mean": to(_mean, -0.3, 0.8),
    }


def _coherence(contexts: Contexts) -> Float[np.ndarray, " b"]:
    if contexts.shape[1] < 2:
        return np.ones(len(contexts))
    return np.asarray(np.einsum("bcd,bcd->bc", contexts[:, 1:], contexts[:, :-1]).mean(axis=1))


def _adaptive(fitted: Fitted) -> dict[str, Predict]:
    """Decays and shares that the coherence of the context decides."""

    def decayed(decay_of: Callable[[Contexts], Float[np.ndarray, " b"]]) -> Predict:
        return lambda contexts: _weighted(contexts, np.clip(decay_of(contexts), 0, 1)[:, None] ** _age(contexts))

    def either(choose: Callable[[Contexts], np.ndarray], first: Predict, second: Predict) -> Predict:
        return lambda contexts: np.where(choose(contexts)[:, None], unit(first(contexts)), unit(second(contexts)))

    def last_step(contexts: Contexts) -> Float[np.ndarray, " b"]:
        return np.asarray(np.einsum("bd,bd->b", contexts[:, -1], contexts[:, max(contexts.shape[1] - 2, 0)]))

    def last_to_mean(contexts: Contexts) -> Float[np.ndarray, " b"]:
        return np.asarray(np.einsum("bd,bd->b", contexts[:, -1], unit(_mean(contexts))))

    def with_ridge(contexts: Contexts) -> Vectors:
        share = np.clip(0.8 - _coherence(contexts), 0, 1)[:, None]
        return unit(_ewma(0.7)(contexts)) * (1 - share) + share * unit(fitted.linear.predict(contexts))

    return {
        "decay-rises-with-coherence": decayed(lambda c: 0.4 + _coherence(c)),
        "decay-falls-with-coherence": decayed(lambda c: 1.0 - 0.8 * _coherence(c)),
        "decay-by-last-step": decayed(lambda c: 0.9 - 0.5 * last_step(c)),
        "better-of-two-by-step": either(lambda c: last_step(c) > 0.4, _ewma(0.3), _ewma(0.9)),
        "better-of-two-by-mean": either(lambda c: last_to_mean(c) > 0.65, _ewma(0.5), _ewma(0.95)),
        "worse-of-two-by-mean": either(lambda c: last_to_mean(c) > 0.65, _ewma(0.95), _ewma(0.5)),
        "ridge-where-incoherent": with_ridge,
    }


def _robust() -> dict[str, Predict]:
    """Medians, trimmed means, medoids, products and powers of the frames."""

    def trimmed(contexts: Contexts) -> Vectors:
        inner = np.sort(contexts, axis=1)[:, 1:-1]
        return np.asarray((inner if inner.shape[1] else contexts).mean(axis=1))

    def medoid(contexts: Contexts) -> Vectors:
        central = np.einsum("bcd,bed->bc", contexts, contexts).argmax(axis=1)
        return contexts[np.arange(len(contexts)), central]

    def without_least_similar(contexts: Contexts) -> Vectors:
        similarity = np.einsum("bcd,bd->bc", contexts, _mean(contexts))
        kept = np.arange(contexts.shape[1]) != similarity.argmin(axis=1)[:, None]
        return _weighted(contexts, kept * 0.8 ** _age(contexts))

    def product(contexts: Contexts) -> Vectors:
        one, other = _last(contexts), _mean(contexts)
        return np.where(one * other > 0, np.sign(one) * np.sqrt(np.abs(one * other)), 0.0)

    def powered(exponent: float) -> Predict:
        def predict(contexts: Contexts) -> Vectors:
            average = _ewma(0.7)(contexts)
            return np.asarray(np.sign(average) * np.abs(average) ** exponent)

        return predict

    return {
        "median": lambda contexts: np.median(contexts, axis=1),
        "median+ewma-0.5": _sum((1.0, lambda contexts: np.median(contexts, axis=1)), (1.0, _ewma(0.5))),
        "trimmed-mean": trimmed,
        "medoid": medoid,
        "without-least-similar": without_least_similar,
        "product-of-last-and-mean": product,
        "coordinates-power-0.8": powered(0.8),
        "coordinates-power-1.2": powered(1.2),
        "unit-ewma-0.3+unit-mean": _sum((1.0, _unit(_ewma(0.3))), (1.0, _unit(_mean))),
    }


def _perturbed(fitted: Fitted) -> dict[str, Predict]:
    """Noise and dropout that the context itself seeds: the same context always gets the same answer."""
    dim = len(fitted.mean)
    directions = np.random.default_rng(0).standard_normal((dim, dim)) / np.sqrt(dim)

    def hashed(contexts: Contexts) -> Vectors:
        # A wild function of the context: unlike a seeded stream it does not depend on the order of the windows.
        return unit(np.sin(1e3 * (contexts.sum(axis=1) @ directions)))

    def noisy(share: float) -> Predict:
        return _sum((1.0, _unit(_ewma(0.7))), (share, hashed))

    def dropped(contexts: Contexts) -> Vectors:
        frames = contexts.shape[1]
        gone = (np.abs(hashed(contexts)[:, 0]) * 1e4).astype(int) % frames
        return _weighted(contexts, (np.arange(frames) != gone[:, None]) * 0.8 ** _age(contexts))

    return {"noise-0.1": noisy(0.1), "noise-0.3": noisy(0.3), "dropped-frame": dropped}


def _recall(fitted: Fitted) -> dict[str, Predict]:
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
        found = memory.nearest(_last(contexts))[1][:, 0]
        return _last(contexts) + 0.3 * (memory.successors[found] - memory.chunks[found])

    one, several = _unit(following(_last, 1)), _unit(following(_last, 8))
    return {
        "neighbour": one,
        "neighbours": several,
        "neighbour-0.2+ewma-0.7": _sum((0.2, one), (0.8, _unit(_ewma(0.7)))),
        "neighbours-0.2+ewma-0.5": _sum((0.2, several), (0.8, _unit(_ewma(0.5)))),
        "neighbours-0.2+ewma-0.8": _sum((0.2, several), (0.8, _unit(_ewma(0.8)))),
        "analogy": by_analogy,
    }


def _ridges(fitted: Fitted) -> dict[str, Predict]:
    """Other ridges than the control, and blends in which the parts are normalised first."""
    ridge = _unit(fitted.linear.predict)
    blends: dict[str, Predict] = {
        "0.75-ewma-0.8+0.25-ridge": _sum((0.75, _ewma(0.8)), (0.25, fitted.linear.predict)),
        "0.85-ewma-0.55+0.15-ridge": _sum((0.85, _ewma(0.55)), (0.15, fitted.linear.predict)),
        "unit-ridge-0.3+unit-ewma-0.3": _sum((0.3, ridge), (0.7, _unit(_ewma(0.3)))),
        "unit-ridge-0.5+unit-ewma-0.8": _sum((0.5, ridge), (0.5, _unit(_ewma(0.8)))),
        "product-of-ridge-and-ewma": _geometric(fitted.linear.predict, _ewma(0.8)),
    }
    for name, one in fitted.ridges.items():
        blends |= {f"ridge-{name}": one.predict, f"ridge-{name}-0.3+ewma-0.7": _with_ewma(one)}
    return blends


def _with_ewma(ridge: Linear) -> Predict:
    return _sum((0.3, _unit(ridge.predict)), (0.7, _unit(_ewma(0.7))))


def _geometric(first: Predict, second: Predict) -> Predict:
    """The signed geometric mean of two predictions, coordinate by coordinate."""

    def predict(contexts: Contexts) -> Vectors:
        product = first(contexts) * second(contexts)
        return np.asarray(np.where(product > 0, np.sign(second(contexts)) * np.sqrt(np.abs(product)), 0.0))

    return predict


def _foreign(fitted: Fitted) -> dict[str, Predict]:
    """Means and ridges of other corpora, brought along."""
    found: dict[str, Predict] = {}
    for name, (mean, ridge) in fitted.foreign.items():
        found |= {
            f"ewma-0.8+0.1-mean-of-{name}": _sum((1.0, _ewma(0.8)), (0.1, _constant(mean))),
            f"ewma-0.8-0.1-mean-of-{name}": _sum((1.0, _ewma(0.8)), (-0.1, _constant(mean))),
            f"ridge-of-{name}": ridge.predict,
            f"ridge-of-{name}-0.3+ewma-0.7": _with_ewma(ridge),
        }
    return found
