"""The portrait of some articles: similarity at every lag, temporal signal, anisotropy. What two corpora differ in.

Every metric is a function of totals per article, so it comes with the influence of each article on it. From those
follow its interval, the interval of a difference between disjoint articles, and the shorter one of a paired difference
where both portraits are of the same articles (two encoders of one text, say).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.estimate import Estimate, independent_difference, linearised
from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus

LAGS: tuple[int, ...] = (1, 2, 3, 4, 5, 10)
# Chunks of the largest corpora that are looked at: an interval over some hundreds of articles is .005 wide.
MAX_CHUNKS = 60_000
# A cosine in float32 is off by 1e-7.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Metric:
    """A metric of a set of articles.

    Attributes:
        value: NaN where it is not defined.
        influence: (a,) how far each article moves it; sums to zero, NaN where an article has no part in it.
        sizes: (a,) windows, pairs or chunks of each article.
        n: pairs of chunks, windows or chunks it is a mean over.
    """

    value: float
    influence: Float[np.ndarray, " a"]
    sizes: Float[np.ndarray, " a"]
    n: int

    @property
    def estimate(self) -> Estimate:
        """The metric with its interval; of a mean, what `harness.base.estimate.cluster_mean` says."""
        return _estimate(self.value, self.influence, self.sizes, self.n)


@dataclass(frozen=True)
class Portrait:
    """The metrics of a set of articles.

    Attributes:
        metrics: name -> Metric; the articles of all are the same, in the same order.
        articles: how many.
        chunks: how many.
    """

    metrics: Mapping[str, Metric]
    articles: int
    chunks: int


def portray(parts: Iterable[tuple[Corpus, Int[np.ndarray, " m"]]], context: int) -> Portrait:
    """Measure the given articles of one or several corpora.

    Args:
        parts: corpora, each with positions of its articles.
        context: C of the temporal signal, cos(x_t-1, x_t) - cos(x_t-C, x_t).
    """
    tallies = [_tally(corpus, int(article), context) for corpus, articles in parts for article in articles]
    if not tallies:
        raise ValueError("a portrait needs an article")
    sums, counts = np.array([one[0] for one in tallies]), np.array([one[1] for one in tallies])
    totals, lengths = np.array([one[2] for one in tallies]), np.array([one[3] for one in tallies])
    names = [*(f"lag {lag}" for lag in LAGS), "temporal signal"]
    metrics = {name: _mean(sums[:, i], counts[:, i]) for i, name in enumerate(names)}
    pair, norm = _between(totals, lengths)
    return Portrait(metrics | {"random pair": pair, "norm of mean": norm}, len(lengths), int(lengths.sum()))


def some_articles(corpus: Corpus, articles: Int[np.ndarray, " m"], seed: int) -> Int[np.ndarray, " k"]:
    """All of ``articles``, or as many drawn under ``seed`` as hold `MAX_CHUNKS` chunks; sorted."""
    if corpus.lengths[articles].sum() <= MAX_CHUNKS:
        return np.sort(articles)
    drawn = rng_of(seed, Stream.CORPUS_PAIRS).permutation(articles)
    return np.sort(drawn[: max(2, int((np.cumsum(corpus.lengths[drawn]) <= MAX_CHUNKS).sum()))])


def difference(one: Metric, other: Metric, *, paired: bool) -> Estimate:
    """``one - other``; ``paired`` where both are of the same articles in the same order."""
    if not paired:
        return independent_difference(one.estimate, other.estimate)
    return _estimate(one.value - other.value, one.influence - other.influence, one.sizes, min(one.n, other.n))


def excludes_zero(estimate: Estimate) -> bool:
    """Whether the interval is defined and holds no zero, and the metric is more than rounding.

    A chain read backwards has the same cosines, summed in another order.
    """
    return abs(estimate.value) > ROUNDING and (estimate.low > 0 or estimate.high < 0)


def _tally(
    corpus: Corpus, article: int, context: int
) -> tuple[Float[np.ndarray, " f"], Float[np.ndarray, " f"], Float[np.ndarray, " d"], int]:
    """Sums and counts of every lag and of the temporal signal, sum of the vectors, chunks: all of one article."""
    start, length = int(corpus.starts[article]), int(corpus.lengths[article])
    reach = max(*LAGS, context)
    sums, counts, total = np.zeros(len(LAGS) + 1), np.zeros(len(LAGS) + 1), np.zeros(corpus.dim)
    for begin in range(0, length, SCAN_ROWS):  # blocks overlap by the longest lag; an article is nearly always one
        size = min(SCAN_ROWS, length - begin)
        rows = np.arange(start + begin, start + min(length, begin + size + reach))
        vectors, run = corpus.vectors(rows), corpus.run_start[rows]
        total += vectors[:size].sum(axis=0, dtype=np.float64)
        cosines = {lag: _lagged(vectors, run, lag, size) for lag in {*LAGS, context}}
        for i, lag in enumerate(LAGS):
            known = np.isfinite(cosines[lag])
            sums[i] += cosines[lag][known].sum()
            counts[i] += known.sum()
        # A window whose first frame is row h has its last frame at h + C - 1, which may lie beyond this block.
        first = cosines[context]
        last = _lagged(vectors, run, 1, len(rows))[context - 1 : context - 1 + len(first)]
        both = last - first[: len(last)]
        sums[-1] += np.nansum(both)
        counts[-1] += np.isfinite(both).sum()
    return sums, counts, total, length


def _lagged(
    vectors: Float[np.ndarray, "n d"], run: Int[np.ndarray, " n"], lag: int, size: int
) -> Float[np.ndarray, " m"]:
    """Cosines of the first ``size`` rows to those ``lag`` further on; NaN where a gap or the end lies between."""
    here = min(size, max(0, len(vectors) - lag))
    found = np.full(size, np.nan)
    cosine = np.einsum("nd,nd->n", vectors[:here], vectors[lag : lag + here])
    found[:here] = np.where(run[:here] == run[lag : lag + here], cosine, np.nan)
    return found


def _mean(sums: Float[np.ndarray, " a"], counts: Float[np.ndarray, " a"]) -> Metric:
    """A ratio of totals, linearised as in `harness.base.estimate.cluster_mean`."""
    n = int(counts.sum())
    if n == 0:
        return Metric(float("nan"), np.full(len(sums), np.nan), counts, 0)
    value = float(sums.sum() / n)
    # An article without a pair does not belong to the sample, nor to its degrees of freedom.
    return Metric(value, np.where(counts > 0, (sums - counts * value) / n, np.nan), counts, n)


def _between(totals: Float[np.ndarray, "a d"], lengths: Int[np.ndarray, " a"]) -> tuple[Metric, Metric]:
    """Mean cosine over all pairs of chunks of different articles, and its square root, the norm of the mean.

    The plain norm of the mean of few articles is too long by what their topics do not cancel (.006 for 30 articles of
    dataset `wiki`), so that a small split would differ from a large one by its size alone; pairs within an article are
    left out of its square for that reason. Influences are those of the delete-one-article jackknife.
    """
    whole, own, weights = totals.sum(axis=0), np.einsum("ad,ad->a", totals, totals), lengths.astype(np.float64)
    chunks, square = weights.sum(), (weights**2).sum()
    inner, count = whole @ whole - own.sum(), chunks**2 - square
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (inner - 2 * (totals @ whole - own)) / ((chunks - weights) ** 2 - square + weights**2)
        value = np.divide(inner, count)
    if len(lengths) < 3:  # with one of two articles gone there is no pair left
        without = np.full(len(lengths), np.nan)
    both = (value, without), (np.sqrt(np.maximum(value, 0.0)), np.sqrt(np.maximum(without, 0.0)))
    # What leaving an article out moves, taken back to its influence; see `harness.base.estimate.jackknife_interval`.
    share = weights / chunks
    pair, norm = (Metric(float(v), (d.mean() - d) * (1.0 - share), weights, int(chunks)) for v, d in both)
    return pair, norm


def _estimate(value: float, influence: Float[np.ndarray, " a"], sizes: Float[np.ndarray, " a"], n: int) -> Estimate:
    known = np.isfinite(influence)
    return linearised(value, influence[known], sizes[known], n)
