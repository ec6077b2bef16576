"""Profile `skill`: is the model better than everything trivial, on the same windows? (`--profile=skill`)

The verdict that means something on real text, where gate A is out of reach of every predictor but an oracle.
"""

import pytest

from lvm_gates.gates.judging import require
from lvm_gates.harness.judging.verdict import Card


@pytest.mark.gate("frontier")
def test_beyond_the_frontier(card: Card, split: str) -> None:
    """MRR above what EWMA, ridge and climatology reach together at the model's cosine, by the lower bound."""
    require(card, "frontier", split, "which control is nearest in the frontier table, and what does it do better?")


@pytest.mark.gate("order")
def test_uses_order(card: Card, split: str) -> None:
    """Shuffling and reversing the context each hurt."""
    require(card, "order", split, "an upper bound at or above zero means that an order-free model would do as well.")


@pytest.mark.gate("rollout")
def test_rolls_out(card: Card, split: str) -> None:
    """At no horizon worse than the frontier control nearest in cosine."""
    require(card, "rollout", split, "look at the horizon where the difference turns negative: drift, or collapse.")


@pytest.mark.gate("spread")
def test_keeps_its_spread(card: Card, split: str) -> None:
    """The effective rank of the predictions, centred and not, is at least half the ridge control's."""
    require(card, "spread", split, "few effective directions: the model answers most contexts alike.")


@pytest.mark.gate("generalisation")
def test_skill_generalises(card: Card) -> None:
    """The skill on OOD keeps its sign and at least half its size."""
    require(card, "generalisation", None, "compare the thirds of coherence on VAL and OOD in the scorecard.")
