"""The verdict: release, hold or blocked, by the release rule of `--require`."""

import pytest

from harness.card import Card


def test_release(card: Card) -> None:
    if card.decision.verdict != "release":
        reasons = "\n".join(f"  - {reason}" for reason in card.decision.reasons)
        pytest.fail(f"{card.identity.name}: {card.decision.verdict}\n{reasons}", pytrace=False)
