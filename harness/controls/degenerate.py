"""Predictors that are broken in a known way; each must be refused."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.hashing import noise_of
from lvm_gates.harness.controls.simple import Constant


def _noise(contexts: Float[np.ndarray, "b c d"], seed: int) -> Float[np.ndarray, "b d"]:
    """Each a function of its own context, so that the batch does not matter."""
    return noise_of(contexts.reshape(len(contexts), -1), contexts.shape[2], seed)


@dataclass(frozen=True)
class RandomUnit:
    """A fresh random direction for every context."""

    seed: int

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        return _noise(contexts, self.seed)


@dataclass(frozen=True)
class NoisyConstant:
    """A constant unit vector plus 1e-4 of noise a coordinate: collapse that hides from a centred rank."""

    constant: Constant
    seed: int

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        return self.constant.predict(contexts) + 1e-4 * _noise(contexts, self.seed)


@dataclass(frozen=True)
class NotANumber:
    """Returns NaN: the original battery gave such a model R@5 = 1.000 (docs/sources.md, "NaN ranked first")."""

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        return np.full((len(contexts), contexts.shape[2]), np.nan)
