"""Gate D, rollout: predictions fed back as context stay near the true continuation.

Step h of the closed loop is compared with the chunk at offset +h; the mean over h = 1..H counts.
"""

import pytest

from lvm_gates.gates.judging import require
from lvm_gates.harness.judging.verdict import Card

NEXT = (
    "look at the cosine by horizon: low from h=1 is a weak predictor (see gate A), a fall after h=1 is drift; "
    "control:context-mean shows what standing still would score."
)


@pytest.mark.gate("D")
def test_rollout(card: Card, split: str) -> None:
    require(card, "D", split, NEXT)
