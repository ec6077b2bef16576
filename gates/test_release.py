"""The verdict: release, hold or blocked, by the release rule of `--require`."""

from gates.judging import fail
from harness.card import Card
from harness.visible import visible


def test_release(card: Card) -> None:
    if card.decision.verdict != "release":
        reasons = "\n".join(f"  - {visible(reason)}" for reason in card.decision.reasons)
        fail(f"{visible(card.identity.name)}: {card.decision.verdict}\n{reasons}")
