"""One rival as an ordinary predictor: the slow way, for rollouts and as the reference of `harness.rivals.scores`."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.vectors import weighted_sum
from lvm_gates.harness.rivals.basis import Basis


@dataclass(frozen=True)
class Blend:
    """A fixed blend of frames, ridge and background; told the row that follows, of which it reads the article alone.

    Attributes:
        basis: what is blended.
        weights: (C + 2,) frames oldest first, ridge, background.
    """

    basis: Basis
    weights: Float[np.ndarray, " c_plus_2"]

    def predict_knowing(
        self, contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]
    ) -> Float[np.ndarray, "b d"]:
        """(B, D) float64, not normalised; the engine scales every prediction."""
        *frames, ridge, background = self.weights
        found = weighted_sum(np.array(frames), contexts)
        # What weighs nothing is not asked.
        if ridge and self.basis.linear is not None:
            found += ridge * self.basis.linear.predict(contexts)
        if background:
            found += background * self.basis.background(rows)
        return found
