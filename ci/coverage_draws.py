"""Draws of clustered samples whose truth is known, each with the intervals of now and of before.

Before: Student's t with one degree of freedom fewer than articles, half widths added in quadrature, and for F the
percentile interval of a bootstrap over articles.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats as scipy_stats

from lvm_gates.harness.base.estimate import (
    Estimate,
    cluster_mean,
    cluster_share,
    independent_difference,
    independent_ratio,
    jackknife_interval,
    ratio_of_means,
)
from lvm_gates.harness.statistics.frontier import frontier_mrr

Sizes = Int[np.ndarray, " g"]
# Standard deviation of the logarithm of article lengths: .3 in Brown, .7 in Wikipedia, .9 in PEPs, 1.4 in speech.
SIGMA = 1.0
WINDOWS = 40
RESAMPLES = 400
RIVALS = 30
_ARTICLES_OF_OOD = 30


class Drawn(NamedTuple):
    """One sample: the true metric, and its estimate by the interval of now and of before."""

    truth: float
    now: Estimate
    before: Estimate


Draw = Callable[[np.random.Generator, Sizes], Drawn]


def draw_sizes(rng: np.random.Generator, articles: int, *, unequal: bool) -> Sizes:
    """Windows of each article: all alike, or log-normal."""
    if not unequal:
        return np.full(articles, WINDOWS)
    return np.maximum(1, np.rint(WINDOWS * rng.lognormal(sigma=SIGMA, size=articles)).astype(int))


def mean_of(between: float, *, skewed: bool = False) -> Draw:
    """A mean of metrics of variance 1, of which ``between`` is between articles, normal or exponential."""

    def draw(rng: np.random.Generator, sizes: Sizes) -> Drawn:
        values, clusters = _values(rng, sizes, between, skewed)
        return Drawn(0.0, cluster_mean(values, clusters), _before(values, clusters))

    return draw


def share_of(truth: float, between: float) -> Draw:
    """A share of hits; its probability varies between articles by a beta law of intra-class correlation ``between``."""

    def draw(rng: np.random.Generator, sizes: Sizes) -> Drawn:
        spread = 1.0 / between - 1.0
        chance = rng.beta(truth * spread, (1.0 - truth) * spread, len(sizes))
        clusters = np.repeat(np.arange(len(sizes)), sizes)
        hits = (rng.random(len(clusters)) < chance[clusters]).astype(np.float64)
        before = _before(hits, clusters)
        return Drawn(truth, cluster_share(hits, clusters), before.replace(low=max(0.0, before.low)))

    return draw


def par(rng: np.random.Generator, sizes: Sizes) -> Drawn:
    """PAR: a ratio of two means over the same windows."""
    (one, clusters), (other, _) = _values(rng, sizes, 0.2), _values(rng, sizes, 0.2)
    above, below = 0.6 + 0.1 * one, 0.5 + 0.05 * one + 0.1 * other
    ratio = float(above.mean() / below.mean())
    around = _before((above - ratio * below) / below.mean(), clusters)
    return Drawn(1.2, ratio_of_means(above, below, clusters), _shift(around, ratio))


def delta(rng: np.random.Generator, sizes: Sizes) -> Drawn:
    """Gate E: a difference to thirty other articles of equal size."""
    (one, clusters), (other, others) = _values(rng, sizes, 0.2), _ood(rng)
    now = independent_difference(cluster_mean(one, clusters), cluster_mean(other, others))
    a, b = _before(one, clusters), _before(other, others)
    half = float(np.hypot(a.high - a.value, b.high - b.value))
    return Drawn(0.0, now, Estimate(now.value, now.value - half, now.value + half, now.n))


def retained(rng: np.random.Generator, sizes: Sizes) -> Drawn:
    """Skill on thirty OOD articles over skill on VAL, both well above zero; there was no interval before."""
    (one, clusters), (other, others) = _values(rng, sizes, 0.02), _ood(rng)
    now = independent_ratio(cluster_mean(0.5 + other, others), cluster_mean(1.0 + one, clusters))
    return Drawn(0.5, now, Estimate(now.value, float("nan"), float("nan"), now.n))


def frontier(gain: float) -> Draw:
    """F of a model whose true MRR lies ``gain`` above the hull of thirty rivals that resemble one another."""
    place = np.linspace(0.0, 1.0, RIVALS)
    cosine, mrr = 0.42 + 0.105 * (1 - (1 - place) ** 2), 0.156 - 0.03 * place**2
    alike = np.linalg.cholesky(np.exp(-((place[:, None] - place) ** 2) / 0.18) + 1e-8 * np.eye(RIVALS))
    here = RIVALS // 2

    def draw(rng: np.random.Generator, sizes: Sizes) -> Drawn:
        def deviations(*columns: int) -> Float[np.ndarray, "g columns"]:
            return rng.standard_normal((len(sizes), *columns))

        def spread(articles: float, windows: float) -> Float[np.ndarray, "g 1"]:
            return np.sqrt(articles**2 + windows**2 / sizes)[:, None]

        topic = 0.05 * deviations(2)
        rivals = [
            base + topic[:, [i]] + deviations(RIVALS) @ alike.T * spread(0.012, noise)
            for i, (base, noise) in enumerate(((cosine, 0.05), (mrr, 0.12)))
        ]
        own = [
            of[:, here] + extra + (deviations(1) * spread(0.012, noise))[:, 0]
            for of, extra, noise in zip(rivals, (0.0, gain), (0.05, 0.12), strict=True)
        ]
        totals = np.concatenate([np.column_stack(pair) for pair in zip(own, rivals, strict=True)], axis=1)
        totals = totals * sizes[:, None]

        def metric(weights: Float[np.ndarray, "b g"]) -> Float[np.ndarray, " b"]:
            c, m = np.split(weights @ totals / (weights @ sizes)[:, None], 2, axis=1)
            return np.asarray(m[:, 0] - frontier_mrr(c[:, 1:], m[:, 1:], c[:, 0]))

        articles = len(sizes)
        value = float(metric(np.ones((1, articles)))[0])
        now = jackknife_interval(value, metric(1.0 - np.eye(articles)), sizes.astype(np.float64))
        resampled = metric(rng.multinomial(articles, np.full(articles, 1 / articles), RESAMPLES).astype(np.float64))
        low, high = map(float, np.quantile(resampled, [0.025, 0.975]))
        return Drawn(gain, now, Estimate(value, low, high, int(sizes.sum())))

    return draw


def _values(
    rng: np.random.Generator, sizes: Sizes, between: float, skewed: bool = False
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    effects = rng.exponential(size=len(sizes)) - 1.0 if skewed else rng.standard_normal(len(sizes))
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    noise = rng.standard_normal(len(clusters))
    return np.sqrt(between) * effects[clusters] + np.sqrt(1.0 - between) * noise, clusters


def _ood(rng: np.random.Generator) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    return _values(rng, np.full(_ARTICLES_OF_OOD, WINDOWS), 0.02)


def _before(values: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Estimate:
    mean, articles = float(values.mean()), int(clusters.max()) + 1
    residual = np.bincount(clusters, weights=values - mean)
    error = float(np.sqrt(articles / (articles - 1) * np.sum(residual**2)) / len(values))
    half = float(scipy_stats.t.ppf(0.975, articles - 1)) * error
    return Estimate(mean, mean - half, mean + half, len(values), articles)


def _shift(estimate: Estimate, by: float) -> Estimate:
    value, low, high = (end + by for end in (estimate.value, estimate.low, estimate.high))
    return estimate.replace(value=value, low=low, high=high)
