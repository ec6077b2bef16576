"""What all rivals are blends of: the frames of a context, its ridge prediction, and climatology."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from harness.predictor import Predictor


@dataclass(frozen=True)
class Basis:
    """The fitted parts of rivals.

    Attributes:
        climatology: (D,) unit mean of the training chunks.
        linear: the ridge regression; None leaves its place empty (zero), for families without ridge.
    """

    climatology: Float[np.ndarray, " d"]
    linear: Predictor | None = None

    def of(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b c_plus_2 d"]:
        """(B, C + 2, D) float64: frames oldest first, the ridge prediction as it comes, climatology."""
        count, context, dim = contexts.shape
        found = np.zeros((count, context + 2, dim))
        found[:, :context] = contexts
        if self.linear is not None:
            found[:, context] = self.linear.predict(contexts)
        found[:, context + 1] = self.climatology
        return found
