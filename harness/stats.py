"""Intervals that know that windows of one article are not independent.

Windows overlap and share a topic, so the article is the unit of resampling everywhere (clustered standard errors:
Miller 2024, arXiv 2411.00640; measured on twenty-sentence documents, ignoring the clusters makes an interval 3.7
times too short). Two models are compared on the differences of the same windows, never on two separate means.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats as scipy_stats

LEVEL = 0.95


class Estimate(NamedTuple):
    """A figure with its interval.

    ``low`` and ``high`` are NaN where no interval is defined (one article), ``value`` too where the figure itself is
    not (no window, or a non-finite prediction among them).
    """

    value: float
    low: float
    high: float
    n: int


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"), 0)


def cluster_mean(values: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Estimate:
    """Mean of ``values`` with a cluster-robust 95 % interval.

    The mean is a ratio of cluster totals, sum_g S_g / sum_g n_g; its variance is linearised (Cochran 1977, section
    6.4) as G/(G-1) sum_g (S_g - n_g mean)^2 / N^2 and the interval uses Student's t with G-1 degrees of freedom.
    NaN in ``values`` makes the estimate NaN: a mean over what happened to be finite would flatter.

    Args:
        values: one figure a window.
        clusters: the article of each window.
    """
    n = len(values)
    if n == 0:
        return UNDEFINED
    mean = float(np.mean(values))
    _, index = np.unique(clusters, return_inverse=True)
    groups = int(index.max()) + 1
    if groups < 2 or not np.isfinite(mean):
        return Estimate(mean, float("nan"), float("nan"), n)
    residual = np.bincount(index, weights=values - mean)
    error = float(np.sqrt(groups / (groups - 1) * np.sum(residual**2)) / n)
    half = float(scipy_stats.t.ppf(0.5 + LEVEL / 2, groups - 1)) * error
    return Estimate(mean, mean - half, mean + half, n)


def cluster_share(values: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Estimate:
    """`cluster_mean` of numbers in [0, 1]; its interval is cut there."""
    estimate = cluster_mean(values, clusters)
    return estimate._replace(low=float(np.clip(estimate.low, 0, 1)), high=float(np.clip(estimate.high, 0, 1)))


def paired_difference(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]
) -> Estimate:
    """Mean of ``first - second`` on the same windows, with its clustered interval."""
    return cluster_mean(first - second, clusters)


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """``first - second`` for two estimates from disjoint sets of articles.

    The half widths add in quadrature; ``n`` is the smaller one, since that is what limits the figure.
    """
    value = first.value - second.value
    half = float(np.hypot(first.high - first.value, second.high - second.value))
    return Estimate(value, value - half, value + half, min(first.n, second.n))


def absolute(estimate: Estimate) -> Estimate:
    """The estimate of a size: an interval that straddles zero starts at zero."""
    value, low, high, n = estimate
    if not np.isfinite(low):
        return Estimate(abs(value), low, high, n)
    edges = sorted((abs(low), abs(high)))
    return Estimate(abs(value), 0.0 if low <= 0.0 <= high else edges[0], edges[1], n)


def bootstrap_weights(clusters: int, resamples: int, seed: int) -> Float[np.ndarray, "resamples clusters"]:
    """How often each cluster is drawn in each resample of a cluster bootstrap.

    With totals per cluster in hand, ``weights @ totals`` is every resampled total at once, for any statistic that is
    a function of totals (the frontier of `harness.statistics.skill`, say).
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(clusters, np.full(clusters, 1.0 / clusters), size=resamples).astype(np.float64)


def percentile_interval(value: float, draws: Float[np.ndarray, " resamples"], n: int) -> Estimate:
    """An estimate with the percentile interval of its bootstrap draws."""
    if len(draws) == 0 or not np.isfinite(draws).all():
        return Estimate(value, float("nan"), float("nan"), n)
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Estimate(value, float(low), float(high), n)


def jackknife_interval(value: float, without: Float[np.ndarray, " g"], windows: Float[np.ndarray, " g"]) -> Estimate:
    """A figure with the interval of its delete-one-article jackknife.

    Args:
        value: of all articles.
        without: the figure without each article in turn.
        windows: of each article.
    """
    groups, n = len(without), int(windows.sum())
    if groups < 2 or not np.isfinite(without).all():
        return Estimate(value, float("nan"), float("nan"), n)
    error = float(np.sqrt((groups - 1) / groups * np.sum((without - value) ** 2)))
    half = float(scipy_stats.t.ppf(0.5 + LEVEL / 2, groups - 1)) * error
    return Estimate(value, value - half, value + half, n)
