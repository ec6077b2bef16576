"""How a gate module turns a judged card into a test outcome. Called by every gate, written once."""

import pytest

from lvm_gates.harness.base.visible import visible, visible_lines
from lvm_gates.harness.judging.verdict import Card


def fail(text: str) -> None:
    """Fail a gate with what is to be said, without a traceback; a model's name may hold letters a terminal obeys."""
    pytest.fail(visible_lines(text), pytrace=False)


def require(card: Card, gate: str, split: str | None, next_step: str) -> None:
    """Fail with the metrics that missed their thresholds, or report a failure that the release rule tolerates.

    Args:
        card: of the model.
        gate: to look at.
        split: "VAL" or "OOD"; None takes every check of the gate.
        next_step: what a newcomer should look at when it fails.
    """
    if card.faults:
        fail("\n".join([f"gate {gate}: the model broke", *(f"  {f}" for f in card.faults)]))
    checks = [c for c in card.checks[gate] if split is None or c.split == split]
    assert checks, f"gate {gate} has no threshold for {split}: a gate that checks nothing must not pass"
    missed = [c for c in checks if not c.passed]
    if not missed:
        return
    heading = f"gate {gate}: {visible(card.identity.name)}"
    lines = [heading, *(f"  {c.sentence()}" for c in missed), f"  Next: {next_step}"]
    if gate in card.decision.tolerated:
        pytest.xfail(f"tolerated by the release rule: {missed[0].sentence()}")
    fail("\n".join(lines))
