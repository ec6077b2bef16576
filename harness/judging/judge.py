"""Judgement: figures against thresholds. Computes no statistic; reads every limit from a profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate
from lvm_gates.harness.judging.profile import BOTH, Comparison, Profile, Threshold

# How the note of a check begins that has too few windows or articles to be judged.
INCONCLUSIVE = "inconclusive"

_RELATION: dict[Comparison, str] = {
    "at_least": ">=",
    "at_most": "<=",
    "low_above": "lower bound >",
    "high_below": "upper bound <",
}


@dataclass(frozen=True)
class Check:
    """One figure held against one threshold.

    Attributes:
        gate: the gate it decides.
        split: "VAL", "OOD" or "BOTH".
        label: name of the figure.
        figure: its value, interval and n.
        relation: how it is compared, in words.
        limit: the threshold.
        passed: whether it meets the threshold; an inconclusive figure does not.
        note: why it is inconclusive, else "".
        source: the evidence for the threshold.
    """

    gate: str
    split: str
    label: str
    figure: Estimate
    relation: str
    limit: float
    passed: bool
    note: str
    source: str

    def sentence(self) -> str:
        """The figure, its interval, n and the threshold, for people."""
        text = f"{self.label} on {self.split} = {show(self.figure)}, wanted {self.relation} {self.limit:+.3g}"
        return f"{text}; {self.note}" if self.note else text


def show(figure: Estimate) -> str:
    """``+0.512 [+0.498, +0.526], n = 3,185``, or "undefined"."""
    if not np.isfinite(figure.value):
        return f"undefined, n = {figure.n:,}"
    if not np.isfinite(figure.low):
        return f"{figure.value:+.3f} [no interval], n = {figure.n:,}"
    return f"{figure.value:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}], n = {figure.n:,}"


def show_offset(k: int | None) -> str:
    """``k=+1``, ``k=0``, or "no offset"."""
    return "no offset" if k is None else f"k={k:+d}" if k else "k=0"


def judge_gate(gate: str, statistics: Mapping[str, Any], profile: Profile) -> list[Check]:
    """Every check of one gate.

    Args:
        gate: its name in the profile.
        statistics: split -> figures, and figures of both splits at the top level.
        profile: the thresholds.
    """
    return [check for threshold in profile.of_gate(gate) for check in judge_row(threshold, statistics, profile)]


def judge_row(threshold: Threshold, statistics: Mapping[str, Any], profile: Profile) -> list[Check]:
    """The checks of one threshold, one for each of its splits.

    Args:
        threshold: of a gate, or of a release rule.
        statistics: of the gate that it names, as for `judge_gate`.
        profile: how many windows and articles are enough.
    """
    return [
        _check(threshold, split, limit, _lookup(statistics, threshold, split), profile)
        for split, limit in threshold.limits.items()
    ]


def _lookup(statistics: Mapping[str, Any], threshold: Threshold, split: str) -> Estimate:
    node: Any = statistics if split == BOTH else statistics[split]
    for key in threshold.statistic.split("."):
        node = node[key]
    # A plain number has no sampling distribution of its own and is judged by its value.
    figure: Estimate = (
        node
        if isinstance(node, Estimate)
        else UNDEFINED._replace(value=float("nan") if node is None else float(node), n=_of(statistics, split, "n"))
    )
    return figure if figure.articles else figure._replace(articles=_of(statistics, split, "articles"))


def _of(statistics: Mapping[str, Any], split: str, count: str) -> int:
    """Windows ("n") or "articles" of a split, of the smaller one where the figure is of both."""
    splits = ("VAL", "OOD") if split == BOTH else (split,)
    return min(int(statistics.get(s, {}).get(count, 0)) for s in splits)


def _check(threshold: Threshold, split: str, limit: float, figure: Estimate, profile: Profile) -> Check:
    note = ""
    if figure.n < profile.minimum_windows:
        note = f"{INCONCLUSIVE}: {figure.n} windows, at least {profile.minimum_windows} are needed"
    elif figure.articles < profile.minimum_articles:
        plural = "" if figure.articles == 1 else "s"
        note = f"{INCONCLUSIVE}: {figure.articles} article{plural}, at least {profile.minimum_articles} are needed"
    elif not np.isfinite(figure.value):
        note = f"undefined: {threshold.undefined}"
    elif threshold.interval and not np.isfinite(figure.low):
        note = f"{INCONCLUSIVE}: no interval is defined"
    return Check(
        threshold.gate,
        split,
        threshold.label,
        figure,
        _RELATION[threshold.comparison],
        limit,
        not note and _meets(threshold.comparison, figure, limit),
        note,
        threshold.source,
    )


def _meets(comparison: Comparison, figure: Estimate, limit: float) -> bool:
    value, low, high = (float(figure.value), float(figure.low), float(figure.high))
    # NaN compares false, so an interval that does not exist never meets a limit on its end.
    if comparison == "at_least":
        return value >= limit
    if comparison == "at_most":
        return value <= limit
    if comparison == "low_above":
        return low > limit
    return high < limit
