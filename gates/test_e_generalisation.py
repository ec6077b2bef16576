"""Gate E, generalisation: as good on articles of another kind.

Mean cosine to the target on VAL and on OOD, among contexts whose mean adjacent cosine lies in [.45, .55], differ by
little. Comparing inside one bin keeps a more repetitive corpus from passing for better generalisation.
"""

import pytest

from lvm_gates.gates.judging import require
from lvm_gates.harness.judging.verdict import Card

NEXT = (
    "inconclusive: take more articles, or a corpus whose contexts fall in the bin; a large difference: compare it with "
    "that of control:ewma, which knows no training articles and shows how much harder the OOD articles are."
)


@pytest.mark.gate("E")
def test_generalisation(card: Card) -> None:
    require(card, "E", None, NEXT)
