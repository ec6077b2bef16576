"""Gate C, ablations: the prediction needs its context, in order.

Shuffling, reversing and hiding the frame that matters most must each cost cosine to the target; a context of one
repeated frame, or with a foreign last frame, must not help.
"""

import pytest

from lvm_gates.gates.judging import require
from lvm_gates.harness.judging.verdict import Card

NEXT = (
    "an effect near zero means that the model does not read the order of its frames, as control:context-mean does not; "
    "look at the effect of each left-out frame in the scorecard to see which ones it reads."
)


@pytest.mark.gate("C")
def test_ablations(card: Card, split: str) -> None:
    require(card, "C", split, NEXT)
