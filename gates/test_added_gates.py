"""Gates from outside: those that ``--gate`` names and those that installed packages offer.

Each brings its question, its statistic, its thresholds, and the controls that prove it in every session.
"""

from lvm_gates.gates.judging import require
from lvm_gates.harness.judging.gates import Gate
from lvm_gates.harness.judging.verdict import Card


def test_added_gate(card: Card, added_gate: Gate, split: str) -> None:
    require(card, added_gate.name, split, added_gate.next_step)
