"""The verdict: release, hold or blocked, by the release rule of `--require`."""

from lvm_gates.gates.judging import fail
from lvm_gates.harness.base.visible import visible
from lvm_gates.harness.judging.verdict import Card


def test_release(card: Card) -> None:
    if card.decision.verdict != "release":
        reasons = "\n".join(f"  - {visible(reason)}" for reason in card.decision.reasons)
        fail(f"{visible(card.identity.name)}: {card.decision.verdict}\n{reasons}")
