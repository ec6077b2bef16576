"""What trivial predictors are put together from: EWMAs, sums, and frames under weights of the context's own."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.simple import Ewma

Contexts = Float[np.ndarray, "b c d"]
Vectors = Float[np.ndarray, "b d"]
Predict = Callable[[Contexts], Vectors]


def ewma(decay: float) -> Predict:
    return Ewma(decay).predict


def last(contexts: Contexts) -> Vectors:
    return contexts[:, -1]


def context_mean(contexts: Contexts) -> Vectors:
    return np.asarray(contexts.mean(axis=1))


def weighted(contexts: Contexts, weights: Float[np.ndarray, "b c"]) -> Vectors:
    """Frames under weights of each context's own; they need not add to one."""
    return np.asarray(np.einsum("bc,bcd->bd", weights, contexts))


def mixed(*parts: tuple[float, Predict]) -> Predict:
    return lambda contexts: np.sum([share * part(contexts) for share, part in parts], axis=0)


def normalised(predict: Predict) -> Predict:
    return lambda contexts: unit(predict(contexts))


def constant(vector: Float[np.ndarray, " d"]) -> Predict:
    return lambda contexts: np.broadcast_to(vector, contexts[:, 0].shape)


def age_of(contexts: Contexts) -> Float[np.ndarray, " c"]:
    return np.arange(contexts.shape[1], dtype=np.float64)[::-1]


def coherence(contexts: Contexts) -> Float[np.ndarray, " b"]:
    if contexts.shape[1] < 2:
        return np.ones(len(contexts))
    return np.asarray(np.einsum("bcd,bcd->bc", contexts[:, 1:], contexts[:, :-1]).mean(axis=1))
