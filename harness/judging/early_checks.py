"""Which checks of a profile are decided by the windows seen so far, whatever the windows left may show.

What is decided is the verdict on the whole sample, so a check is passed, or failed, when the confidence sequence of its
mean lies on one side of its limit. Checks that are no means of windows (effective ranks, the frontier) are open until
all windows are seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from jaxtyping import Bool, Float

from lvm_gates.harness.base.estimate import Estimate, cluster_share, t_quantile
from lvm_gates.harness.base.record import Finite, Number, Record
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.draw_order import DrawOrder
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.perturbations import (
    CROSS_ARTICLE,
    REPEAT_LAST,
    REVERSE,
    SHUFFLE,
    ablation_names,
    leave_out_name,
)
from lvm_gates.harness.evaluation.window_facts import WindowFacts
from lvm_gates.harness.judging.profile import BOTH, Profile, Threshold
from lvm_gates.harness.statistics.confidence_sequence import (
    Draws,
    difference_exceeds,
    exceeds,
    lower_bound,
    upper_bound,
)
from lvm_gates.harness.statistics.generalisation import NORMAL_COHERENCE
from lvm_gates.harness.statistics.offsets import TARGET_OFFSET

# Of the intervals that an early release asks for. At .95 their lower ends are too high, at one look or another, in .04
# to .06 of sessions and on the most skewed corpus in .12 (docs/sequential.md).
WIDE = 0.995
# Of the bound of a share without a miss.
ONE_IN_TWENTY = 0.05
Status = Literal["pass", "fail", "open"]


class EarlyCheck(Record, frozen=True, kw_only=True):
    """What the windows seen say of one check on the whole sample.

    Attributes:
        gate: that it belongs to.
        label: name of the metric.
        split: "VAL", "OOD" or "BOTH".
        low: lower end of the confidence sequence; null where the check has none.
        high: upper end.
        limit: of the check.
        status: "pass" or "fail" where the rest of the sample cannot change it, "open" where it can.
    """

    gate: str
    label: str = msgspec.field(name="check")
    split: Annotated[str, msgspec.Meta(pattern="^(VAL|OOD|BOTH)$")]
    low: Number = float("nan")
    high: Number = float("nan")
    limit: Finite
    status: Status


@dataclass(frozen=True)
class Seen:
    """What has been seen of one split.

    Attributes:
        observed: of the windows drawn, in row order.
        facts: of all windows of the sample.
        kept: which of these count, leaked ones being left out.
        near_duplicate: which of them profile `skill` leaves out besides.
        clusters: article of each.
        order: of the draw.
        look: how far it is.
    """

    observed: Observations
    facts: WindowFacts
    kept: Bool[np.ndarray, " n"]
    near_duplicate: Bool[np.ndarray, " n"]
    clusters: np.ndarray
    order: DrawOrder
    look: int


@dataclass(frozen=True)
class _Mean:
    """A metric of single windows: its values where they were seen, which windows have it, and its range."""

    values: Float[np.ndarray, " m"]
    exists: Bool[np.ndarray, " n"]
    low: float
    high: float

    def draws(self, seen: Seen) -> Draws:
        totals, counts = seen.order.sums(np.clip(self.values, self.low, self.high), self.exists, seen.look)
        return Draws(totals, counts, seen.order.weights, self.low, self.high)


def _offsets(seen: Seen) -> tuple[dict[int, Float[np.ndarray, " m"]], Bool[np.ndarray, " n"]]:
    return dict(zip(OFFSETS, seen.observed.offset.T, strict=True)), seen.facts.offset_exists & seen.kept


def _target_cosine(seen: Seen) -> list[_Mean]:
    by_offset, exists = _offsets(seen)
    return [_Mean(by_offset[TARGET_OFFSET], exists, -1.0, 1.0)]


def _margins(seen: Seen) -> list[_Mean]:
    """The margin is the least of six paired differences."""
    by_offset, exists = _offsets(seen)
    return [_Mean(by_offset[1] - by_offset[k], exists, -2.0, 2.0) for k in OFFSETS if k != TARGET_OFFSET]


def _of_rank(value: Callable[[np.ndarray], np.ndarray]) -> Callable[[Seen], list[_Mean]]:
    column = POOLS.index("article")
    return lambda seen: [_Mean(value(seen.observed.rank[:, column]).astype(np.float64), seen.kept, 0.0, 1.0)]


def _ablation(*names: str, novel: bool = False) -> Callable[[Seen], list[_Mean]]:
    def found(seen: Seen) -> list[_Mean]:
        known = ablation_names(seen.observed.context)
        exists = seen.kept & ~seen.near_duplicate if novel else seen.kept
        if CROSS_ARTICLE in names:
            exists = exists & seen.facts.cross_exists
        return [_Mean(seen.observed.ablation[:, known.index(name)], exists, -2.0, 2.0) for name in names]

    return found


def _left_out(seen: Seen) -> list[_Mean]:
    """The most harmful frame has the least of the effects."""
    return _ablation(*map(leave_out_name, range(seen.observed.context)))(seen)


def _rollout(seen: Seen) -> list[_Mean]:
    return [_Mean(seen.observed.rollout.mean(axis=1), seen.facts.rollout_exists & seen.kept, -1.0, 1.0)]


# (gate, statistic) -> the means whose least it is; one of them where it is a mean itself.
_MEANS: Mapping[tuple[str, str], Callable[[Seen], list[_Mean]]] = {
    ("A", "c.1"): _target_cosine,
    ("A", "margin"): _margins,
    ("B", "article.R@1"): _of_rank(lambda rank: rank <= 1),
    ("B", "article.R@5"): _of_rank(lambda rank: rank <= 5),
    ("B", "article.MRR"): _of_rank(lambda rank: 1.0 / rank),
    ("C", "shuffle"): _ablation(SHUFFLE),
    ("C", "reverse"): _ablation(REVERSE),
    ("C", "leave_one_out"): _left_out,
    ("C", "repeat_last"): _ablation(REPEAT_LAST),
    ("C", "cross_article"): _ablation(CROSS_ARTICLE),
    ("D", "mean"): _rollout,
    ("order", "order.shuffle"): _ablation(SHUFFLE, novel=True),
    ("order", "order.reverse"): _ablation(REVERSE, novel=True),
}
_ORDER = ("shuffle", "reverse", "leave_one_out", "order.shuffle", "order.reverse")


@dataclass(frozen=True)
class Levels:
    """Probabilities of error.

    Attributes:
        passing: that a check which the whole sample fails is called passed.
        failing: that one which it passes is called failed.
    """

    passing: float
    failing: float


def decide_check(
    threshold: Threshold,
    split: str,
    seen: Mapping[SplitName, Seen],
    profile: Profile,
    levels: Levels,
    *,
    bounds: bool = False,
) -> EarlyCheck:
    """What is decided of one check.

    Args:
        threshold: of a gate, or of a release rule.
        split: one of its limits'.
        seen: split -> what was seen.
        profile: how many windows and articles are enough; fewer in the whole sample fail the check for certain.
        levels: of error.
        bounds: also the ends of the confidence sequence, which take thirty times as long.
    """
    limit = threshold.limits[split]

    def check(status: Status, low: float = float("nan"), high: float = float("nan")) -> EarlyCheck:
        return EarlyCheck(
            gate=threshold.gate, label=threshold.label, split=split, low=low, high=high, limit=limit, status=status
        )

    if split == BOTH:
        return (
            check(*_decide_difference(limit, seen, profile, levels, bounds)) if threshold.gate == "E" else check("open")
        )
    own = next(seen[name] for name in JUDGED if name == split)
    make = _MEANS.get((threshold.gate, threshold.statistic))
    if make is None:
        return check("open")
    means = make(own)
    undefined = threshold.statistic in _ORDER and own.observed.context < 2
    if undefined or _too_few(means[0].exists, own.clusters, profile):
        return check("fail")
    draws = [mean.draws(own) for mean in means]
    return check(*_decide_least(threshold, limit, draws, levels, bounds))


def cautious(metric: Estimate) -> tuple[float, float]:
    """Both ends of a metric's interval, clustered by article, at level `WIDE`; its own where that has another form."""
    if not np.isfinite(metric.df):
        return metric.low, metric.high
    half = t_quantile(metric.df, WIDE) * metric.error
    return metric.value - half, metric.value + half


def cautious_share(values: Float[np.ndarray, " n"], clusters: np.ndarray) -> float:
    """The lower end of the same for a share.

    Articles without any miss are as many trials without one (Clopper and Pearson): 59 are enough for a limit of .95.

    Args:
        values: of the windows seen, between 0 and 1.
        clusters: article of each.
    """
    if len(values) and values.min() == 1.0:
        return float(ONE_IN_TWENTY ** (1.0 / len(np.unique(clusters))))
    return cluster_share(values, clusters, level=WIDE).low


def share_bound(threshold: Threshold, split: SplitName, seen: Mapping[SplitName, Seen]) -> float | None:
    """`cautious_share` of what was seen, None of metrics that are no shares."""
    if threshold.gate != "B":
        return None
    own = seen[split]
    (mean,) = _MEANS[threshold.gate, threshold.statistic](own)
    drawn = own.order.seen(own.look)
    has = mean.exists[drawn]
    return cautious_share(mean.values[has], own.clusters[drawn][has])


def _too_few(exists: Bool[np.ndarray, " n"], clusters: np.ndarray, profile: Profile) -> bool:
    articles = len(np.unique(clusters[exists]))
    return int(exists.sum()) < profile.minimum_windows or articles < profile.minimum_articles


def _decide_least(
    threshold: Threshold, limit: float, draws: list[Draws], levels: Levels, bounds: bool
) -> tuple[Status, float, float]:
    """Of the least of some means: it is above a limit if all are, and below if one is.

    Where all must be above, the one that is least in truth would have to be mistaken, and that is one; where any may be
    below, each of them could be, and they share the probability.
    """
    wants_more = threshold.comparison in ("at_least", "low_above")
    # An end of an interval lies beyond the mean: one that the mean itself misses is missed, and more is not known.
    of_interval = threshold.comparison in ("low_above", "high_below")
    above, below = (levels.passing, levels.failing) if wants_more else (levels.failing, levels.passing)
    below /= len(draws)
    low = high = float("nan")
    if bounds:
        low = min(lower_bound(one, above) for one in draws)
        high = min(upper_bound(one, below) for one in draws)
        is_above, is_below = low >= limit, high < limit
    else:
        is_above = all(exceeds(one, limit, above) for one in draws)
        is_below = any(exceeds(one.mirrored, -limit, below) for one in draws)
    passed, failed = (is_above, is_below) if wants_more else (is_below, is_above)
    return "fail" if failed else "pass" if passed and not of_interval else "open", low, high


def _decide_difference(
    limit: float, seen: Mapping[SplitName, Seen], profile: Profile, levels: Levels, bounds: bool
) -> tuple[Status, float, float]:
    """Gate E: the size of a difference between two samples that are drawn independently."""
    low, high = NORMAL_COHERENCE
    found = []
    for split in JUDGED:
        own = seen[split]
        normal = own.kept & (own.facts.coherence >= low) & (own.facts.coherence <= high)
        if _too_few(normal, own.clusters, profile):
            return "fail", float("nan"), float("nan")
        found.append(_Mean(own.observed.cosine, normal, -1.0, 1.0).draws(own))
    cuts = [seen[split].order.cuts[: seen[split].look + 1] for split in JUDGED]
    looks = list(zip(*cuts, strict=True))
    pairs = ((found[0], found[1], looks), (found[1], found[0], [look[::-1] for look in looks]))
    # Each way round is above minus the limit where the size is below it.
    is_below = all(difference_exceeds(*pair, -limit, levels.passing) for pair in pairs)
    is_above = not is_below and any(difference_exceeds(*pair, limit, levels.failing / 2.0) for pair in pairs)
    status: Status = "pass" if is_below else "fail" if is_above else "open"
    if not bounds:
        return status, float("nan"), float("nan")
    return status, *_apart(found, levels, limit, status)


def _apart(found: list[Draws], levels: Levels, limit: float, status: Status) -> tuple[float, float]:
    """Bounds of the size of the difference from those of each mean, wider than what decides; or the limit itself."""
    least, most = (
        [(lower_bound(one, level / 2.0), upper_bound(one, level / 2.0)) for one in found]
        for level in (levels.failing / 2.0, levels.passing)
    )
    low = max(0.0, least[0][0] - least[1][1], least[1][0] - least[0][1])
    high = max(most[0][1] - most[1][0], most[1][1] - most[0][0])
    return (max(low, limit) if status == "fail" else low), (min(high, limit) if status == "pass" else high)
