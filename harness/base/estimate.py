"""Metrics with intervals that know that windows of one article are not independent.

Windows overlap and share a topic, so the article is the unit of sampling everywhere (clustered standard errors:
Miller 2024, arXiv 2411.00640; measured on twenty-sentence documents, ignoring the clusters makes an interval 3.7
times too short). Two models are compared on the differences of the same windows, never on two separate means. How
wide an interval must be is the business of `harness.base.clusters`; what the intervals cover is in docs/intervals.md.
"""

from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit  # `scipy.stats.t` says the same, but loading it takes longer than all else here

from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES, cluster_error
from lvm_gates.harness.base.record import Count, Number, Record

LEVEL = 0.95
_NAN = float("nan")


class Estimate(Record, frozen=True):
    """A metric with its 95 % interval, clustered by article.

    ``low`` and ``high`` are NaN where no interval holds (fewer than `harness.base.clusters.MINIMUM_ARTICLES` articles),
    ``value`` too where the metric itself is not defined (no window, or a non-finite prediction among them).
    ``articles`` counts the articles behind the metric, 0 where it does not say. ``df`` are the degrees of freedom of
    a symmetric t-interval, from which `error` follows; NaN for intervals of another kind.
    """

    value: Number
    low: Number
    high: Number
    n: Count
    articles: Count = 0
    df: Number = _NAN

    def replace(self, **changes: Any) -> "Estimate":
        """The same but for some fields."""
        return msgspec.structs.replace(self, **changes)

    @property
    def error(self) -> float:
        """Standard error; NaN where there is no t-interval."""
        return (self.high - self.low) / 2.0 / t_quantile(self.df)


UNDEFINED = Estimate(_NAN, _NAN, _NAN, 0)


def t_quantile(df: float, level: float = LEVEL) -> float:
    """How many standard errors an interval reaches to either side."""
    return float(stdtrit(df, 0.5 + level / 2))


def linearised(
    value: float, influence: Float[np.ndarray, " g"], sizes: Float[np.ndarray, " g"], n: int | None = None
) -> Estimate:
    """A metric with its t-interval, from how far each article moves it.

    Args:
        value: the metric.
        influence: of each article, summing to zero; see `harness.base.clusters.cluster_error`.
        sizes: windows of each article.
        n: what the metric is a mean over; by default the windows.
    """
    n, articles = int(sizes.sum()) if n is None else n, int(np.count_nonzero(sizes))
    if articles < MINIMUM_ARTICLES or not (np.isfinite(value) and np.isfinite(influence).all()):
        return Estimate(value, _NAN, _NAN, n, articles)
    error, df = map(float, cluster_error(influence, sizes))
    half = t_quantile(df) * error
    return Estimate(value, value - half, value + half, n, articles, df)


def cluster_mean(values: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Estimate:
    """Mean of ``values`` with a cluster-robust 95 % interval.

    The mean is a ratio of cluster totals, sum_g S_g / sum_g n_g, and linearised as such (Cochran 1977, section 6.4).
    NaN in ``values`` makes the estimate NaN: a mean over what happened to be finite would flatter.

    Args:
        values: one per window.
        clusters: the article of each window.
    """
    if len(values) == 0:
        return UNDEFINED
    return _ratio_of_totals(values, np.ones(len(values)), clusters)


def ratio_of_means(
    above: Float[np.ndarray, " n"], below: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]
) -> Estimate:
    """mean(above) / mean(below) over the same windows, linearised; undefined where ``below`` has mean zero."""
    if len(above) == 0 or np.mean(below) == 0.0:
        return UNDEFINED.replace(n=len(above), articles=len(np.unique(clusters)))
    return _ratio_of_totals(above, below, clusters)


def _ratio_of_totals(
    above: Float[np.ndarray, " n"], below: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]
) -> Estimate:
    value = float(np.mean(above) / np.mean(below))
    _, index = np.unique(clusters, return_inverse=True)
    if not np.isfinite(value):
        return Estimate(value, _NAN, _NAN, len(above), int(index.max()) + 1)
    influence = np.bincount(index, weights=above - value * below) / below.sum()
    return linearised(value, influence, np.bincount(index).astype(np.float64))


def cluster_share(values: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"], level: float = LEVEL) -> Estimate:
    """Mean of numbers in [0, 1], such as hits, with an interval that stays in there and never has zero width.

    Wilson's score interval (1927) for as many independent windows as would have the error of `cluster_mean`. Windows
    that all agree show no variance, and a handful of exceptions hardly any, whether they come one by one or an
    article at a time. So the variance of one window more is mixed in, of which only its article is known: sum_g w_g^2
    times that of a single window. Thirty articles without a miss then leave room for one article in eight.
    """
    mean = cluster_mean(values, clusters)
    if not np.isfinite(mean.low):
        return mean
    share = float(np.clip(mean.value, 0.0, 1.0))
    rare = min(share, 1.0 - share)
    _, sizes = np.unique(clusters, return_counts=True)
    alike = float(np.sum((sizes / mean.n) ** 2))
    # Variance over that of a single window, share * (1 - share), which cancels in the weighted mean.
    inflation = (mean.n * mean.error**2 / (1.0 - rare) + alike) / (mean.n * rare + 1.0)
    pull = t_quantile(mean.df, level) ** 2 * inflation
    centre = share + pull / 2.0
    half = float(np.sqrt(pull * share * (1.0 - share) + pull**2 / 4.0))
    low, high = max(0.0, (centre - half) / (1.0 + pull)), min(1.0, (centre + half) / (1.0 + pull))
    return Estimate(mean.value, min(low, mean.value), max(high, mean.value), mean.n, mean.articles)


def paired_difference(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]
) -> Estimate:
    """Mean of ``first - second`` on the same windows, with its clustered interval."""
    return cluster_mean(first - second, clusters)


def jackknife_interval(value: float, without: Float[np.ndarray, " g"], windows: Float[np.ndarray, " g"]) -> Estimate:
    """A metric with the interval of its delete-one-article jackknife.

    Leaving article g out moves a mean by 1 / (1 - w_g) of its influence, so influences follow and the interval is that
    of `linearised`; of a mean it is the same as `cluster_mean`'s.

    Args:
        value: of all articles.
        without: the metric without each article in turn.
        windows: of each article.
    """
    return linearised(value, (value - without) * (1.0 - windows / windows.sum()), windows)


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """``first - second`` for two estimates from disjoint sets of articles.

    The errors add in quadrature, with the degrees of freedom of Welch (1947); ``n`` and ``articles`` are the smaller
    ones, since those limit the metric.
    """
    value, n, articles = first.value - second.value, min(first.n, second.n), min(first.articles, second.articles)
    error, df = _welch(first.error, first.df, second.error, second.df)
    half = t_quantile(df) * error
    return Estimate(value, value - half, value + half, n, articles, df)


def independent_ratio(above: Estimate, below: Estimate) -> Estimate:
    """``above / below`` for two estimates from disjoint sets of articles, with Fieller's interval (1954).

    A ratio r is inside if above - r * below does not differ from zero. Where the interval of ``below`` reaches zero
    the set of such r is unbounded, and so there is no interval.
    """
    n, articles = min(above.n, below.n), min(above.articles, below.articles)
    value = above.value / below.value if below.value else _NAN
    _, df = _welch(above.error, above.df, abs(value) * below.error, below.df)
    t = t_quantile(df)
    spread_above, spread_below = (t * above.error) ** 2, (t * below.error) ** 2
    # r solves (below^2 - spread_below) r^2 - 2 above below r + (above^2 - spread_above) = 0.
    steepness = below.value**2 - spread_below
    if not (np.isfinite(value) and steepness > 0.0):
        return Estimate(value, _NAN, _NAN, n, articles)
    middle = above.value * below.value / steepness
    half = float(np.sqrt(max(0.0, middle**2 - (above.value**2 - spread_above) / steepness)))
    return Estimate(value, min(value, middle - half), max(value, middle + half), n, articles)


def _welch(error: float, df: float, other: float, other_df: float) -> tuple[float, float]:
    """Error and degrees of freedom of a sum of two independent metrics; NaN where either has none."""
    squares = error**2, other**2
    spread = squares[0] ** 2 / df + squares[1] ** 2 / other_df
    both = sum(squares)
    return float(np.sqrt(both)), both**2 / spread if spread else min(df, other_df)


def absolute(estimate: Estimate) -> Estimate:
    """The estimate of a size: an interval that straddles zero starts at zero."""
    low, high = estimate.low, estimate.high
    size = estimate.replace(value=abs(estimate.value), df=_NAN)
    if not np.isfinite(low):
        return size
    edges = sorted((abs(low), abs(high)))
    return size.replace(low=0.0 if low <= 0.0 <= high else edges[0], high=edges[1])
