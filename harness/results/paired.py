"""Two models on the same windows: paired differences, which of them survive a multiplicity correction, and how small
a difference the windows could have shown at all.

Windows are told apart by (article id, chunk index), so that two reports of one corpus can be compared although their
samples were drawn with different seeds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import gammaln, nctdtrinc, stdtr

from lvm_gates.harness.base.estimate import Estimate, paired_difference, t_quantile
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.perturbations import REVERSE, SHUFFLE, ablation_names

# How often a difference of the size called detectable is detected.
POWER = 0.8
# Everything that is compared, in this order.
METRICS = (
    "cosine",
    "c(+1) - c(0)",
    *(f"{score} {pool}" for pool in POOLS for score in ("MRR", "R@1")),
    SHUFFLE,
    REVERSE,
    "rollout",
)


@dataclass(frozen=True)
class Sampled:
    """What ``samples.npz`` holds of one model on one split, one row a window; see `harness.evaluation.observations`."""

    article: Int[np.ndarray, " n"]
    chunk: Int[np.ndarray, " n"]
    cosine: Float[np.ndarray, " n"]
    offset: Float[np.ndarray, "n 7"]
    offset_exists: Bool[np.ndarray, " n"]
    rank: Float[np.ndarray, "n pools"]
    pool_size: Int[np.ndarray, "n pools"]
    ablation: Float[np.ndarray, "n ablations"]
    rollout: Float[np.ndarray, "n horizon"]
    rollout_exists: Bool[np.ndarray, " n"]
    leaked: Bool[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.article)

    def take(self, index: Int[np.ndarray, " m"]) -> "Sampled":
        """The windows at ``index``, in that order."""
        return Sampled(**{name: values[index] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Difference:
    """One metric of two models on the same windows.

    Attributes:
        metric: its name.
        first: mean of the first model.
        second: mean of the second.
        estimate: second minus first, interval clustered by article.
    """

    metric: str
    first: float
    second: float
    estimate: Estimate

    @property
    def error(self) -> float:
        """Standard error of the difference; NaN where there is no interval."""
        return self.estimate.error

    @property
    def p(self) -> float:
        """Two-sided p-value of the t statistic; NaN where there is no interval."""
        if not np.isfinite(self.error):
            return float("nan")
        if self.error == 0.0:  # the same difference in every article: none at all, or one without any doubt
            return float(self.estimate.value == 0.0)
        return float(2.0 * stdtr(self.estimate.df, -abs(self.estimate.value) / self.error))

    @property
    def detectable(self) -> float:
        """Minimum detectable effect: a true difference of that size is found with probability `POWER`.

        See `detectable_errors`. NaN where there is no interval, or nothing varies and so nothing tells what could be
        detected.
        """
        if not self.error > 0.0:
            return float("nan")
        return detectable_errors(self.estimate.df) * self.error


def detectable_errors(df: float) -> float:
    """How many standard errors a true difference must be away from a limit to be told from it with `POWER`.

    The noncentrality at which Student's t exceeds t(.975) so often, over c4, by which a standard error of few degrees
    of freedom is too small on average: 3.31 with nine degrees of freedom, 2.80 with many. Without the second a
    difference of the size printed is found .75 to .79 of the time (docs/comparing.md, "Simulated").
    """
    c4 = np.sqrt(2.0 / df) * np.exp(gammaln((df + 1.0) / 2.0) - gammaln(df / 2.0))
    return float(nctdtrinc(df, 1.0 - POWER, t_quantile(df)) / c4)


@dataclass(frozen=True)
class PairedDifferences:
    """All differences of one split.

    Attributes:
        differences: one a metric.
        windows: windows that both models were judged on.
        of: windows of the first and of the second model.
        leaked: windows of both that no metric counts, because they are leaked for one of the two.
        left_out: metrics that cannot be compared, each with the reason.
    """

    differences: Sequence[Difference]
    windows: int
    of: tuple[int, int]
    leaked: int
    left_out: Sequence[str]


def common_windows(first: Sampled, second: Sampled) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
    """Positions, in each of the two, of the windows that both have."""
    keys = [np.stack([s.article, s.chunk], axis=1).astype(np.int64) for s in (first, second)]
    pair = np.dtype([("article", np.int64), ("chunk", np.int64)])
    one, other = (np.ascontiguousarray(k).view(pair)[:, 0] for k in keys)
    _, here, there = np.intersect1d(one, other, return_indices=True)
    return here, there


def compare(first: Sampled, second: Sampled) -> PairedDifferences:
    """Every paired difference, second minus first, on the windows that both have and that are leaked for neither."""
    here, there = common_windows(first, second)
    kept = np.flatnonzero(~(first.leaked[here] | second.leaked[there]))
    a, b = first.take(here[kept]), second.take(there[kept])
    left_out: list[str] = []
    found = [
        _difference(name, one[kept], other[kept], a.article[kept])
        for name, one, other, kept in _metrics(a, b, left_out)
    ]
    return PairedDifferences(found, len(a), (len(first), len(second)), len(here) - len(a), left_out)


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted by Holm's step-down method (1979); NaN stays NaN and is not counted as a test.

    The chance of one false mark or more among them is at most the level, however the tests depend on one another.
    """
    adjusted = [float("nan")] * len(p)
    tested = sorted((value, i) for i, value in enumerate(p) if np.isfinite(value))
    largest = 0.0
    for step, (value, i) in enumerate(tested):
        largest = max(largest, min(1.0, value * (len(tested) - step)))
        adjusted[i] = largest
    return adjusted


_Metric = tuple[str, Float[np.ndarray, " m"], Float[np.ndarray, " m"], Bool[np.ndarray, " m"]]


def _metrics(a: Sampled, b: Sampled, left_out: list[str]) -> Iterator[_Metric]:
    """Name, values of both models, and which windows have them."""
    everywhere = np.ones(len(a), dtype=bool)
    yield "cosine", a.cosine, b.cosine, everywhere
    target, last = OFFSETS.index(1), OFFSETS.index(0)
    margins = [s.offset[:, target] - s.offset[:, last] for s in (a, b)]
    yield "c(+1) - c(0)", margins[0], margins[1], a.offset_exists & b.offset_exists
    for i, pool in enumerate(POOLS):
        ranks = a.rank[:, i], b.rank[:, i]
        if np.isnan(ranks[0]).all() or np.isnan(ranks[1]).all():
            left_out.append(f"candidate set {pool}: not ranked in both reports")
            continue
        # A bank drawn with another seed, or a context of another length, shows in the number of candidates.
        if not np.array_equal(a.pool_size[:, i], b.pool_size[:, i]):
            left_out.append(f"candidate set {pool}: the candidates differ between the reports")
            continue
        yield f"MRR {pool}", 1.0 / ranks[0], 1.0 / ranks[1], everywhere
        hits = [np.where(np.isnan(rank), np.nan, rank <= 1.0) for rank in ranks]
        yield f"R@1 {pool}", hits[0], hits[1], everywhere
    for name in (SHUFFLE, REVERSE):
        yield name, _effect(a, name), _effect(b, name), everywhere
    steps = min(a.rollout.shape[1], b.rollout.shape[1])
    if a.rollout.shape[1] != b.rollout.shape[1]:
        left_out.append(f"rollout beyond h={steps}: the other report has no more steps")
    exists = a.rollout_exists & b.rollout_exists
    yield "rollout", a.rollout[:, :steps].mean(axis=1), b.rollout[:, :steps].mean(axis=1), exists


def _effect(sampled: Sampled, name: str) -> Float[np.ndarray, " m"]:
    context = sampled.ablation.shape[1] - len(ablation_names(0))  # one column a frame besides the fixed ones
    return np.asarray(sampled.ablation[:, ablation_names(context).index(name)])


def _difference(
    name: str, first: Float[np.ndarray, " m"], second: Float[np.ndarray, " m"], articles: Int[np.ndarray, " m"]
) -> Difference:
    undefined = float("nan")
    means = [float(np.mean(values)) if len(values) else undefined for values in (first, second)]
    return Difference(name, means[0], means[1], paired_difference(second, first, articles))
