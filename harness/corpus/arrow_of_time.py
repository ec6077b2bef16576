"""Which way does time run? A small classifier tells windows from the same windows read backwards.

Temporal signal says how fast similarity decays, which is the same in both directions. The original "delta",
cos(x_t, x_t+1) - cos(x_t, x_t-1), telescopes to zero on any chain, and no set of pairwise cosines sees direction
(AUC .501). Antisymmetric lag products do: A = sum_t x_t x_t+1' - x_t+1 x_t', which changes sign when the window is
reversed and is zero on average on a reversible chain.

The metric is a lower bound: a small network on the same corpora reached .63 and .68 where lag products had .58 and .59
(docs/specification.md, "Arrow of time").
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from msgspec.structs import astuple
from scipy import linalg
from threadpoolctl import threadpool_limits

from lvm_gates.harness.base.cache import cached_arrays, code_digest
from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, cluster_mean
from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.harness.corpus.windows import sample_windows, windows_of

# The interval is over articles; another seed (sample, folds) moves the AUC by .002 on Brown and PEPs, by .016 on the
# 60 articles of Wikipedia (.521, .534, .502 with three seeds).
# Chosen on Brown, PEPs and 60 articles of Wikipedia (384-d): 24, 32 and 48 components gave AUC .576 .585 .585 on Brown,
# .555 .556 .570 on PEPs, 2 to 4 times slower at 48. Half the windows cost .01 to .02. Components keep their variance:
# whitened ones lost .01 to .02. Penalties of 1 to 10 times the mean eigenvalue differ by .005 at most.
MAX_WINDOWS = 8_000
COMPONENTS = 32
PENALTY = 3.0
FOLDS = 5
# Of the null. From seed to seed one shuffle has a standard deviation of .017 (thirty seeds, Wikipedia) or .012 (four,
# Brown) where its interval says .014 and .008: articles share a classifier. The mean of five has .0085 and .007.
SHUFFLES = 5
_TINY = 1e-12  # windows of one repeated chunk have no lag products, and are to be solved for all the same


@dataclass(frozen=True)
class Arrow:
    """What the classifier found.

    Attributes:
        auc: area under its ROC curve on articles it was not fitted on; .5 where direction cannot be seen.
        null: the same where the chunks of every article were shuffled first, so that there is no direction; the mean of
            `SHUFFLES` such metrics and of the ends of their intervals: how far from .5 chance takes one of them.
        components: principal components that were used.
    """

    auc: Estimate
    null: Estimate
    components: int


def arrow_of_time(corpus: Corpus, articles: Int[np.ndarray, " m"], context: int, seed: int) -> Arrow:
    """Train and judge the classifier, cross-validated by article, and its null.

    Args:
        corpus: the chunks.
        articles: positions of the articles to use; with fewer than two that hold a window, metrics are undefined.
        context: C; a window is C + 1 chunks.
        seed: of the sample of windows, of the folds and of the shuffles.
    """
    windows = sample_windows(windows_of(corpus, articles, context), MAX_WINDOWS, seed)
    frames = windows.targets[:, None] + np.arange(-context, 1)
    components = min(COMPONENTS, corpus.dim)
    rng = rng_of(seed, Stream.ARROW_OF_TIME)
    first = _shuffled(corpus, rng)
    used = np.unique(windows.clusters)
    fold_of = np.full(len(corpus.starts), -1)
    fold_of[used] = rng.permutation(len(used)) % FOLDS
    shuffles = [first, *(_shuffled(corpus, rng) for _ in range(SHUFFLES - 1))]
    # Matrices of a few hundred rows: on cores that others use too, threads that wait for each other took twenty times
    # as long as one (29 s and 1.5 s), and one thread gives the same digits everywhere.
    with threadpool_limits(1, user_api="blas"):
        return Arrow(
            _auc(corpus, frames, fold_of, components),
            _mean([_auc(corpus, mixed[frames], fold_of, components) for mixed in shuffles]),
            components,
        )


def cached_arrow_of_time(corpus: Corpus, articles: Int[np.ndarray, " m"], context: int, seed: int) -> Arrow:
    """`arrow_of_time`, kept under the content of the corpus and of the code: sessions over one corpus ask it again."""
    code = code_digest(__name__, "lvm_gates.harness.base.estimate", "lvm_gates.harness.base.clusters")
    digest = hashlib.sha256(f"{code}|{corpus.fingerprint}|{context}|{seed}|".encode())
    digest.update(np.ascontiguousarray(articles, dtype=np.int64).tobytes())

    def make() -> dict[str, np.ndarray]:
        found = arrow_of_time(corpus, articles, context, seed)
        auc, null = (np.array(astuple(estimate), dtype=np.float64) for estimate in (found.auc, found.null))
        return {"auc": auc, "null": null, "components": np.array(found.components)}

    stored = cached_arrays("arrow-of-time", digest.hexdigest()[:32], ["auc", "null", "components"], make)
    auc, null = (_estimate(*stored[name].tolist()) for name in ("auc", "null"))
    return Arrow(auc, null, int(stored["components"]))


def _estimate(value: float, low: float, high: float, n: float, articles: float, df: float) -> Estimate:
    return Estimate(value, low, high, int(n), int(articles), df)


def _shuffled(corpus: Corpus, rng: np.random.Generator) -> Int[np.ndarray, " r"]:
    """Rows shuffled inside articles, by sorting them by article, then at random: row r holds the chunk of result[r]."""
    return np.lexsort((rng.random(corpus.size), corpus.article_of))


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    """Of value and ends alike: not narrower than one of them, as their error is partly shared."""
    value, low, high = np.mean([(e.value, e.low, e.high) for e in estimates], axis=0).tolist()
    return estimates[0].replace(value=value, low=low, high=high)


def lag_products(windows: Float[np.ndarray, "n w p"]) -> Float[np.ndarray, "n q"]:
    """Upper triangle of sum_t x_t x_t+1' - x_t+1 x_t'; a window read backwards has the same with the sign changed."""
    above, below = np.triu_indices(windows.shape[2], 1)
    products = np.matmul(windows[:, :-1].transpose(0, 2, 1), windows[:, 1:])
    flat, width = products.reshape(len(products), -1), windows.shape[2]
    return np.asarray(flat.take(above * width + below, axis=1) - flat.take(below * width + above, axis=1))


def symmetric_auc(scores: Float[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Estimate:
    """AUC of ``scores`` against their own negatives, with an interval clustered by article.

    A window that scores s scores -s when reversed, so the AUC is the share of pairs (i, j) with s_i > -s_j, a
    U-statistic of a symmetric kernel: each window enters on both sides, hence the doubled half width.
    """
    backward = np.sort(-scores)
    below, upto = (np.searchsorted(backward, scores, side=side) for side in ("left", "right"))
    mean = cluster_mean((below + upto) / (2 * max(1, len(scores))), clusters)  # ties count one half
    return mean.replace(low=2 * mean.low - mean.value, high=2 * mean.high - mean.value)


def _auc(corpus: Corpus, frames: Int[np.ndarray, "n w"], fold_of: Int[np.ndarray, " a"], components: int) -> Estimate:
    """The cross-validated AUC over windows given as rows."""
    if len(np.unique(fold_of[fold_of >= 0])) < 2:
        return UNDEFINED
    rows, place = np.unique(frames, return_inverse=True)
    place = place.reshape(frames.shape)
    vectors = np.concatenate([corpus.vectors(rows[part]) for part in slices(len(rows), SCAN_ROWS)])
    row_fold, clusters = fold_of[corpus.article_of[rows]], corpus.article_of[frames[:, 0]]
    fold, scores = fold_of[clusters], np.empty(len(frames))
    parts = {held_out: _Moments.of(vectors[row_fold == held_out]) for held_out in np.unique(fold)}
    for held_out in parts:
        mean, axes = _Moments.pooled(part for other, part in parts.items() if other != held_out).principal(components)
        products = lag_products((vectors @ axes - mean @ axes)[place])
        fitted = _ridge(products[fold != held_out])
        scores[fold == held_out] = products[fold == held_out] @ fitted
    return symmetric_auc(scores, clusters)


class _Moments(NamedTuple):
    """Sums over the chunks of a fold, from which the components of any set of folds follow."""

    n: int
    total: Float[np.ndarray, " d"]
    outer: Float[np.ndarray, "d d"]

    @classmethod
    def of(cls, vectors: Float[np.ndarray, "n d"]) -> "_Moments":
        return cls(len(vectors), vectors.sum(axis=0, dtype=np.float64), (vectors.T @ vectors).astype(np.float64))

    @classmethod
    def pooled(cls, parts: Iterable["_Moments"]) -> "_Moments":
        counts, totals, outers = zip(*parts, strict=True)
        return cls(sum(counts), np.sum(totals, axis=0), np.sum(outers, axis=0))

    def principal(self, components: int) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d p"]]:
        """Mean and leading principal axes."""
        mean = self.total / self.n
        covariance = self.outer / self.n - np.outer(mean, mean)
        wanted = (len(mean) - components, len(mean) - 1)
        _, axes = linalg.eigh(covariance, subset_by_index=wanted, overwrite_a=True)
        return mean.astype(np.float32), axes.astype(np.float32)


def _ridge(products: Float[np.ndarray, "n q"]) -> Float[np.ndarray, " q"]:
    """Ridge regression of +1 for a window and -1 for its reverse, in closed form and without an intercept.

    As the reverse has the features -A, both classes enter through the same sums, and the answer is Fisher's
    discriminant (a logistic ridge fits the same direction to within rounding of the AUC when classes overlap so much).
    """
    gram = (products.T @ products).astype(np.float64) / len(products)
    gram[np.diag_indices_from(gram)] += PENALTY * max(float(np.trace(gram)) / len(gram), _TINY)
    return np.asarray(linalg.solve(gram, products.mean(axis=0, dtype=np.float64), assume_a="pos"), dtype=np.float32)
