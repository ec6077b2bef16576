"""What the controls say of the gates on a corpus: which of them are out of reach, and which anybody passes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lvm_gates.harness.judging.card import CardRecord, ControlRecord
from lvm_gates.harness.judging.judge import Check
from lvm_gates.harness.report import words
from lvm_gates.harness.report.view import ABSOLUTE, SPLITS, profile_gates
from lvm_gates.harness.results.model import Scorecard

# Controls that a team could ship in the place of a network, and what a reader calls them.
TRIVIAL = {
    "persistence": "a copy of the last frame",
    "context-mean": "the mean of the context",
    "ewma": "a weighted mean of the context",
    "climatology": "the mean of the training text",
    "linear": "ridge",
}
_PROFILE_OF_LIMITS = "5cat"
# What rounds to zero is no difference.
_SHOWN = 0.0005


def in_words(items: Sequence[str]) -> str:
    """``a, b and c``."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last


def unreachable(scorecard: Scorecard) -> list[str]:
    """Gates of profile `5cat` that the oracle passes, and neither a trivial control nor the best possible predictor.

    None under other profiles, and none where a trivial control is missing from the report or could not be judged.
    """
    cards = _by_name(scorecard)
    if scorecard.profile != _PROFILE_OF_LIMITS or "oracle" not in cards or not TRIVIAL.keys() <= cards.keys():
        return []
    able = [cards[name] for name in (*TRIVIAL, "bayes") if name in cards]
    gates = profile_gates(scorecard.profile, cards["oracle"])
    return [
        name
        for name, gate in gates.items()
        if gate.passed and name not in cards["oracle"].added_gates and not any(card.gate(name).passed for card in able)
    ]


def passed_by_trivial(scorecard: Scorecard, card: CardRecord) -> Iterator[str]:
    """A sentence where a trivial control passes what the model fails, or else passes it as well and is better at it."""
    found = sorted(_passed(scorecard, card), key=lambda one: one.by_model)
    for one in found[:1]:
        name = one.control[0].upper() + one.control[1:]
        how = f"{words.number(one.gap, bare=True)} better ({one.check.label} on {one.check.split})"
        if one.by_model:
            yield f"{name} passes gate {one.gate} as well and is {how}: that pass needs no network."
        else:
            yield f"{name} passes gate {one.gate} and is {how}: a model that is to replace it has to do better first."


class _Passed(NamedTuple):
    """A gate that a trivial control passes with a better metric."""

    gate: str
    by_model: bool
    control: str
    gap: float
    check: Check


def _passed(scorecard: Scorecard, card: CardRecord) -> Iterator[_Passed]:
    cards = _by_name(scorecard)
    # The gates of profile `skill` compare with trivial controls by themselves.
    for gate, own in (
        (name, gate) for name, gate in profile_gates(scorecard.profile, card).items() if name in ABSOLUTE
    ):
        passing = {name: cards[name].gate(gate) for name in TRIVIAL if name in cards and cards[name].gate(gate).passed}
        # Metrics of both splits say how alike these are, which a constant does best.
        checks = [check for check in own.checks if check.passed == own.passed and check.split in SPLITS]
        gaps = [
            _Passed(gate, own.passed, TRIVIAL[name], _gap(check, other), check)
            for check in checks
            for name, found in passing.items()
            for other in found.checks
            if (check.label, check.split) == (other.label, other.split)
        ]
        shown = [one for one in gaps if one.gap >= _SHOWN]
        if shown:
            first = next(check for check in checks if any(one.check is check for one in shown))
            yield max((one for one in shown if one.check is first), key=lambda one: one.gap)


def _gap(check: Check, other: Check) -> float:
    """By how much the other metric is better; negative where it is worse, NaN where either is undefined."""
    gap = other.metric.value - check.metric.value
    return gap if check.relation in (">=", "lower bound >") else -gap


def _by_name(scorecard: Scorecard) -> dict[str, ControlRecord]:
    return {card.name.removeprefix("control:"): card for card in scorecard.controls}
