"""Trivial predictors: what any model must beat, computed from the context or from a mean alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.vectors import weighted_sum


@dataclass(frozen=True)
class Ewma:
    """Exponentially weighted mean of the context: frame of age a weighs ``decay ** a``.

    ``decay`` 0 is persistence, 1 the context mean; the grid in between is what
    docs/specification.md, "Cosine against rank" compares.
    """

    decay: float

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        age = np.arange(contexts.shape[1])[::-1]
        weights = np.power(self.decay, age).astype(np.float64)  # 0 ** 0 is 1: persistence
        return weighted_sum(weights / weights.sum(), contexts)


@dataclass(frozen=True)
class Backward:
    """Returns the frame before the last (the last, where the context has one frame): must peak at k=-1."""

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        return contexts[:, max(contexts.shape[1] - 2, 0)]


@dataclass(frozen=True)
class Constant:
    """Returns one vector whatever it sees; climatology, where that vector is the mean of the training corpus."""

    vector: Float[np.ndarray, " d"]

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        return np.tile(self.vector, (len(contexts), 1))
