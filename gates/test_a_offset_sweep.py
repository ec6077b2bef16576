"""Gate A, offset sweep: the prediction is nearest to the chunk it should predict.

c(k) is the mean cosine of the prediction to the chunk at offset k, counted from the last context frame: k=0 is that
frame, k=+1 the target. The target must be near, and nearer than its best rival among k = -3..+3 by a margin.
"""

import pytest

from lvm_gates.gates.judging import require
from lvm_gates.harness.judging.verdict import Card

NEXT = (
    "where is the peak? k=0 or below: the model returns what it was shown, compare it with control:persistence and "
    "control:ewma in the scorecard; k=+2: it was trained on shifted targets. If control:bayes or control:linear fails "
    "alike, the corpus rewards staying near the context: see --profile=skill."
)


@pytest.mark.gate("A")
def test_offset_sweep(card: Card, split: str) -> None:
    require(card, "A", split, NEXT)
