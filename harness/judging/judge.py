"""Judgement: metrics against thresholds. Computes no statistic; reads every limit from a profile."""

from typing import Annotated, Any

import msgspec
import numpy as np

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate
from lvm_gates.harness.base.metric_text import metric_text
from lvm_gates.harness.base.record import Finite, Record
from lvm_gates.harness.judging.profile import BOTH, Comparison, Profile, Threshold
from lvm_gates.harness.statistics.split import BySplit

# How the note of a check begins that has too few windows or articles to be judged.
INCONCLUSIVE = "inconclusive"

_RELATION: dict[Comparison, str] = {
    "at_least": ">=",
    "at_most": "<=",
    "low_above": "lower bound >",
    "high_below": "upper bound <",
}


class Check(Record, frozen=True, kw_only=True):
    """One metric compared with one threshold.

    Attributes:
        gate: the gate it decides.
        split: "VAL", "OOD" or "BOTH".
        label: name of the metric.
        metric: its value, interval and n.
        relation: how it is compared, in words.
        limit: the threshold.
        passed: whether it meets the threshold; an inconclusive metric does not.
        note: why it is inconclusive, else "".
        source: the evidence for the threshold.
    """

    gate: str
    split: Annotated[str, msgspec.Meta(pattern="^(VAL|OOD|BOTH)$")]
    label: str
    metric: Estimate = msgspec.field(name="figure")
    relation: str
    limit: Finite
    passed: bool
    note: str
    source: str

    def sentence(self) -> str:
        """The metric, its interval, n and the threshold, for people."""
        metric = metric_text(self.metric, signed=True, count=True)
        text = f"{self.label} on {self.split} = {metric}, wanted {self.relation} {self.limit:+.3g}"
        return f"{text}; {self.note}" if self.note else text


def show_offset(k: int | None) -> str:
    """``k=+1``, ``k=0``, or "no offset"."""
    return "no offset" if k is None else f"k={k:+d}" if k else "k=0"


def judge_gate(gate: str, statistics: BySplit[Any], profile: Profile) -> list[Check]:
    """Every check of one gate.

    Args:
        gate: its name in the profile.
        statistics: metrics on each split, and beside them those of both.
        profile: the thresholds.
    """
    return [check for threshold in profile.of_gate(gate) for check in judge_row(threshold, statistics, profile)]


def judge_row(threshold: Threshold, statistics: BySplit[Any], profile: Profile) -> list[Check]:
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


def _lookup(statistics: BySplit[Any], threshold: Threshold, split: str) -> Estimate:
    node: Any = statistics if split == BOTH else statistics[split]
    for key in threshold.statistic.split("."):
        node = node[key]
    # A plain number has no sampling distribution of its own and is judged by its value.
    metric: Estimate = (
        node
        if isinstance(node, Estimate)
        else UNDEFINED.replace(value=float("nan") if node is None else float(node), n=_of(statistics, split, "n"))
    )
    return metric if metric.articles else metric.replace(articles=_of(statistics, split, "articles"))


def _of(statistics: BySplit[Any], split: str, count: str) -> int:
    """Windows ("n") or "articles" of a split, of the smaller one where the metric is of both."""
    splits = ("VAL", "OOD") if split == BOTH else (split,)
    return min(_count(statistics, s, count) for s in splits)


def _count(statistics: BySplit[Any], split: str, name: str) -> int:
    try:
        return int(statistics[split][name])
    except KeyError:  # not every gate counts its windows by itself
        return 0


def _check(threshold: Threshold, split: str, limit: float, metric: Estimate, profile: Profile) -> Check:
    note = ""
    if metric.n < profile.minimum_windows:
        note = f"{INCONCLUSIVE}: {metric.n} windows, at least {profile.minimum_windows} are needed"
    elif metric.articles < profile.minimum_articles:
        plural = "" if metric.articles == 1 else "s"
        note = f"{INCONCLUSIVE}: {metric.articles} article{plural}, at least {profile.minimum_articles} are needed"
    elif not np.isfinite(metric.value):
        note = f"undefined: {threshold.undefined}"
    elif threshold.interval and not np.isfinite(metric.low):
        note = f"{INCONCLUSIVE}: no interval is defined"
    return Check(
        gate=threshold.gate,
        split=split,
        label=threshold.label,
        metric=metric,
        relation=_RELATION[threshold.comparison],
        limit=limit,
        passed=not note and _meets(threshold.comparison, metric, limit),
        note=note,
        source=threshold.source,
    )


def _meets(comparison: Comparison, metric: Estimate, limit: float) -> bool:
    value, low, high = (float(metric.value), float(metric.low), float(metric.high))
    # NaN compares false, so an interval that does not exist never meets a limit on its end.
    if comparison == "at_least":
        return value >= limit
    if comparison == "at_most":
        return value <= limit
    if comparison == "low_above":
        return low > limit
    return high < limit
