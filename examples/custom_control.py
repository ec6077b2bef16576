"""A control of your own: the truth, a little blurred.

    pytest gates/ --model=control:oracle --control=python:examples.custom_control:BLURRED

The oracle shows that the gates admit perfection. This one shows, in every session, that they also admit a predictor
that is merely very good.
"""

from dataclasses import dataclass

import numpy as np

from lvm_gates.harness.controls import Control, Ingredients
from lvm_gates.harness.controls.oracle import Oracle

BLUR = 0.25


@dataclass(frozen=True)
class Blurred:
    """What the oracle says plus noise of a quarter of its length: a cosine of about .97 to the truth."""

    oracle: Oracle
    seed: int

    def predict_knowing(self, contexts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(B, C, D) contexts said to end right before corpus rows (B,) -> (B, D)."""
        truth = self.oracle.predict_knowing(contexts, rows)
        # By row, so that a window's noise does not depend on its neighbours in the batch.
        noise = np.stack([np.random.default_rng([self.seed, row]).standard_normal(truth.shape[1]) for row in rows])
        return truth + BLUR * noise / np.linalg.norm(noise, axis=1, keepdims=True)


def build(ingredients: Ingredients) -> Blurred:
    """Called once for each judged split."""
    return Blurred(Oracle(ingredients.corpus), ingredients.seed)


BLURRED = Control("blurred-oracle", build, passes=("A", "B"))
