"""What was measured of a predictor's answers on some windows, as `Observations` name it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.evaluation.block import Surroundings
from lvm_gates.harness.evaluation.candidates import Ranks


class Observed(NamedTuple):
    """What one predictor did on consecutive windows, by the names of `Observations`; nothing where there are none."""

    predictions: Float[np.ndarray, "b d"]
    """Of the windows whose predictions were asked for; later of those alone that collapse is looked for on."""
    values: dict[str, np.ndarray]


class Measured(NamedTuple):
    """Cosines, one row a window; NaN where a prediction has no direction or there is nothing to compare it with.

    Attributes:
        cosine: of the prediction to the target.
        coherence: of adjacent frames, their mean.
        nearest_context: of the prediction to a frame, the largest.
        nearest_reference: the same of the target.
        offset: of the prediction to the chunks at `OFFSETS`.
        spoiled: of the prediction from each spoiled context to the target; None where they were not asked for.
        rollout: of each step of the closed loop to the chunk that it answers for.
    """

    cosine: Float[np.ndarray, " b"]
    coherence: Float[np.ndarray, " b"]
    nearest_context: Float[np.ndarray, " b"]
    nearest_reference: Float[np.ndarray, " b"]
    offset: Float[np.ndarray, "b 7"]
    spoiled: Float[np.ndarray, "b ablations"] | None
    rollout: Float[np.ndarray, "b horizon"]

    def values(self, ranks: Ranks, around: Surroundings, ablations: int) -> dict[str, np.ndarray]:
        """By the names of `Observations`.

        Args:
            ranks: of the targets.
            around: the same windows.
            ablations: how many there are, asked for or not.
        """
        finite = np.isfinite(self.cosine) & (np.isfinite(self.rollout).all(axis=1) | ~around.ahead_exists)
        if self.spoiled is None:
            ablation = np.full((len(finite), ablations), np.nan)
        else:
            ablation = self.spoiled - self.cosine[:, None]
            finite &= np.isfinite(self.spoiled).all(axis=1)
        return {
            "cosine": self.cosine,
            "coherence": self.coherence,
            "nearest_context": self.nearest_context,
            "nearest_reference": self.nearest_reference,
            "offset": self.offset,
            "offset_exists": around.offset_exists,
            "rank": ranks.rank,
            "pool_size": ranks.size,
            "ablation": ablation,
            "rollout": self.rollout,
            "rollout_exists": around.ahead_exists,
            "finite": finite,
        }
