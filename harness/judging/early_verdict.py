"""Whether a verdict on the whole sample is known from a part of it, and what the scorecard says of that.

Two errors are possible, and each is held to `LEVEL` by itself, since whatever the truth is, only one can be made:

- *release* of a model that the whole sample refuses: it fails some check there, and that very check must have been
  called passed. No correction is needed where every gate is asked for; where a rule lets gates fail, the gates share
  the level.
- *no release* of a model that the whole sample releases: any one of its checks may have been called failed, so they
  share the level.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from lvm_gates.harness.base.record import Count, Finite, Record
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.judging.early_checks import EarlyCheck, Levels, Seen, cautious, decide_check, share_bound
from lvm_gates.harness.judging.profile import Profile, Rule, Threshold
from lvm_gates.harness.judging.verdict import Card

# Probability that a verdict on a part differs from that on the whole sample, under whatever the truth is.
LEVEL = 0.05


class EarlyVerdict(Record, frozen=True, kw_only=True):
    """Of one model.

    Attributes:
        model: as given to ``--model``.
        outcome: "release" or "no release" where the rest of the sample cannot change it, else "open".
        reason: in words.
        decided: the checks that decide it, with their confidence sequences.
    """

    model: str = ""
    outcome: Literal["release", "no release", "open"]
    reason: str
    decided: list[EarlyCheck] = msgspec.field(default_factory=list)


class SeenPart(Record, frozen=True, kw_only=True):
    """How much of the sample of a split was judged.

    Attributes:
        windows: that were judged.
        of_windows: in the sample.
        articles: that they are of.
        of_articles: in the sample.
    """

    windows: Count
    of_windows: Count
    articles: Count
    of_articles: Count


class Sequential(Record, frozen=True, kw_only=True):
    """Where a session with ``--sequential`` stopped, and why.

    Attributes:
        unit: "articles" or "windows", drawn in random order.
        seed: of the order.
        level: probability that the verdict on a part differs from that on the whole sample.
        shares: of the windows after which it looked.
        splits: split -> how much of it was judged.
        models: what was decided of each.
        reason: why it stopped, in words.
    """

    unit: Literal["articles", "windows"]
    seed: Count
    level: Finite
    shares: list[Finite]
    splits: dict[str, SeenPart]
    models: list[EarlyVerdict]
    reason: str


def early_verdict(
    seen: Mapping[SplitName, Seen], profile: Profile, rule: Rule, own: Card | None, certain: Sequence[str]
) -> EarlyVerdict:
    """What is decided of one model.

    Args:
        seen: split -> what was seen.
        profile: of the session.
        rule: of release.
        own: its card on what was seen, None where profile `skill` would need the rivals for it.
        certain: reasons for which it is not released, whatever the rest shows.
    """
    if own is not None and own.decision.verdict != "release" and certain:
        return EarlyVerdict(outcome="no release", reason=certain[0])
    rows = [*profile.thresholds, *rule.checks, *_negative_margin(profile)]
    number = sum(len(row.limits) for row in rows)
    gates = 1 if rule.gates is None else len(profile.gates)
    levels = Levels(passing=LEVEL / gates, failing=LEVEL / number)
    found = {
        (place, split): decide_check(row, split, seen, profile, levels)
        for place, row in enumerate(rows)
        for split in row.limits
    }

    def said(wanted: str) -> list[EarlyCheck]:
        """The checks that are decided so, with their bounds."""
        decided = [place for place, check in found.items() if check.status == wanted]
        return [decide_check(rows[place], split, seen, profile, levels, bounds=True) for place, split in decided]

    of_gates = len(profile.thresholds)
    by_gate: dict[str, list[str]] = {}
    for (place, _), check in found.items():
        if place < of_gates:
            by_gate.setdefault(check.gate, []).append(check.status)
    asked = [check.status for (place, _), check in found.items() if place >= of_gates]
    possible = {gate: "fail" not in statuses for gate, statuses in by_gate.items()}
    if "fail" in asked or not _enough(possible, profile, rule):
        if own is not None and own.decision.verdict == "release":
            return _open(found.values())
        failed = [gate for gate, may in possible.items() if not may]
        why = f"gate {', '.join(failed)} fails" if failed else "a check that the release rule asks for fails"
        return EarlyVerdict(
            outcome="no release", reason=f"{why} whatever the rest of the sample shows", decided=said("fail")
        )
    sure = {gate: set(statuses) == {"pass"} for gate, statuses in by_gate.items()}
    if own is None or own.decision.verdict != "release" or "open" in asked or not _enough(sure, profile, rule):
        return _open(found.values())
    needed = [row for row in profile.thresholds if sure[row.gate]]
    if not all(_clears(row, split, own, seen) for row in needed for split in row.limits):
        return EarlyVerdict(
            outcome="open", reason="an interval on what was seen, clustered by article, reaches its limit"
        )
    reason = "every gate that is asked for passes whatever the rest of the sample shows"
    return EarlyVerdict(outcome="release", reason=reason, decided=said("pass"))


def _negative_margin(profile: Profile) -> list[Threshold]:
    """A margin below zero blocks by itself, where the profile says so."""
    if not profile.blocks_on_negative_margin:
        return []
    limits: dict[str, float] = dict.fromkeys(JUDGED, 0.0)
    return [Threshold("A", "margin", "negative margin", "at_least", limits, "blocks by itself")]


def _enough(passed: Mapping[str, bool], profile: Profile, rule: Rule) -> bool:
    """Whether a rule is content with these gates."""
    if rule.gates is None:
        return all(passed.values())
    needed = all(passed[gate] for gate in (*rule.required, *profile.added))
    return needed and sum(ok for gate, ok in passed.items() if gate not in profile.added) >= rule.gates


def _clears(row: Threshold, split: str, own: Card, seen: Mapping[SplitName, Seen]) -> bool:
    """Whether the interval of what was seen, clustered by article, lies beyond the limit.

    The whole sample may pass by luck of its articles, and then so does a part of it: an early release asks for more.
    """
    (check,) = (one for one in own.checks[row.gate] if (one.label, one.split) == (row.label, split))
    share = next((share_bound(row, name, seen) for name in JUDGED if name == split), None)
    low, high = cautious(check.metric)
    if row.comparison == "at_least":
        return (low if share is None else share) >= check.limit
    return high <= check.limit


def _open(checks: Iterable[EarlyCheck]) -> EarlyVerdict:
    names = dict.fromkeys(f"{c.label} on {c.split}" for c in checks if c.status == "open")
    shown = ", ".join(list(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return EarlyVerdict(outcome="open", reason=f"not decided: {shown}" if shown else "not decided")
