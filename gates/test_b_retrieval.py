"""Gate B, retrieval: the target is found among all chunks of its article.

The context frames are candidates too, so a model that stays near them ranks them first. Ties take the expected rank, a
non-finite prediction the worst; a chunk equal to the target is the same answer.
"""

import pytest

from lvm_gates.gates.judging import require
from lvm_gates.harness.judging.verdict import Card

NEXT = (
    "compare candidate sets `article` and `novel` in the scorecard: if `novel` is much better, the model's own context "
    "frames keep it from the target; if both are at chance, look at the training loss first."
)


@pytest.mark.gate("B")
def test_retrieval(card: Card, split: str) -> None:
    require(card, "B", split, NEXT)
