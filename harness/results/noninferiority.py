"""Whether a candidate is not worse: the interval of a paired difference against a margin, and nothing else.

Not worse where the whole interval lies above minus the margin, worse where all of it lies below, undecided between: a
difference that merely fails to be significant is no proof of anything.
"""

import math
from typing import Literal

from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.record import Count, Number, Record
from lvm_gates.harness.results.paired import Difference, detectable_errors
from lvm_gates.harness.results.policy import MetricRule, Tier

Outcome = Literal["not worse", "worse", "undecided"]
# Beyond this many articles none are named: nobody has them, and the difference lies at the margin itself.
MOST_ARTICLES = 1_000_000


class Finding(Record, frozen=True, kw_only=True):
    """One metric on one split.

    Attributes:
        metric: its name.
        split: VAL or OOD.
        tier: of the policy.
        better: direction of a better model.
        margin: the largest loss that is no loss.
        accepted: mean of the accepted model.
        candidate: mean of the candidate.
        difference: candidate minus accepted, paired, clustered by article.
        detectable: a true difference of that size is found four times in five.
        outcome: what the interval says of it.
        articles_wanted: how many articles would decide four times in five if the true difference is the one seen; null
            where it is decided, or no number of them would.
        note: why no interval says anything; "" where one does.
    """

    metric: str
    split: str
    tier: Tier
    better: Literal["higher", "lower"]
    margin: float
    accepted: Number
    candidate: Number
    difference: Estimate
    detectable: Number
    outcome: Outcome
    articles_wanted: Count | None = None
    note: str = ""


def judge(found: Difference, split: str, rule: MetricRule) -> Finding:
    """One metric judged by its rule; `found` is candidate minus accepted."""
    outcome, note = _outcome(found, rule)
    gain = rule.sign * found.estimate.value
    wanted = None
    if outcome == "undecided":
        wanted = articles_to_decide(found.estimate, gain + rule.margin) if not note else MINIMUM_ARTICLES
    return Finding(
        metric=found.metric,
        split=split,
        tier=rule.tier,
        better=rule.better,
        margin=rule.margin,
        accepted=found.first,
        candidate=found.second,
        difference=found.estimate,
        detectable=found.detectable,
        outcome=outcome,
        articles_wanted=wanted,
        note=note,
    )


def _outcome(found: Difference, rule: MetricRule) -> tuple[Outcome, str]:
    if not math.isfinite(found.second):
        return "worse", "the candidate's is not defined"
    estimate = found.estimate
    if not math.isfinite(estimate.low):
        plural = "s" if estimate.articles != 1 else ""
        return "undecided", f"{estimate.articles} article{plural}, at least {MINIMUM_ARTICLES} are needed"
    low, high = sorted((rule.sign * estimate.low, rule.sign * estimate.high))
    if low > -rule.margin:
        return "not worse", ""
    return ("worse" if high < -rule.margin else "undecided"), ""


def articles_to_decide(estimate: Estimate, distance: float) -> int | None:
    """How many articles like these tell a true difference from a limit, four times in five.

    Args:
        estimate: of articles that are there; its error shrinks with the root of their number, its degrees of freedom
            grow with it.
        distance: of the true difference from the limit.

    Returns:
        None where that is more than `MOST_ARTICLES`.
    """

    def enough(articles: int) -> bool:
        more = articles / estimate.articles
        return detectable_errors(estimate.df * more) * estimate.error / math.sqrt(more) <= abs(distance)

    if not enough(MOST_ARTICLES):
        return None
    low, high = 0, MOST_ARTICLES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if middle and enough(middle) else (middle, high)
    return max(high, MINIMUM_ARTICLES)
