"""What all rivals are blends of: the frames of a context, its ridge prediction, and a background."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.predictors.predictor import Predictor
from lvm_gates.harness.rivals.domain import Domain


@dataclass(frozen=True)
class Basis:
    """The fitted parts of rivals.

    Attributes:
        climatology: (D,) unit mean of the training chunks.
        linear: the ridge regression; None leaves its place empty (zero), for families without ridge.
        domain: takes the place of climatology where given.
    """

    climatology: Float[np.ndarray, " d"]
    linear: Predictor | None = None
    domain: Domain | None = None

    def of(
        self, contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]
    ) -> Float[np.ndarray, "b c_plus_2 d"]:
        """(B, C + 2, D) float64: frames oldest first, the ridge prediction as it comes, climatology or domain.

        Args:
            contexts: what is seen.
            rows: corpus row of each target, of which the domain reads the article alone.
        """
        count, context, dim = contexts.shape
        found = np.zeros((count, context + 2, dim))
        found[:, :context] = contexts
        if self.linear is not None:
            found[:, context] = self.linear.predict(contexts)
        found[:, context + 1] = self.background(rows)
        return found

    def background(self, rows: Int[np.ndarray, " b"]) -> Float[np.ndarray, "*b d"]:
        """Climatology, or for each window the mean of its domain."""
        return self.climatology if self.domain is None else self.domain.means(rows)
