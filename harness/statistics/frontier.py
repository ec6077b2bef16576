"""The frontier: what rivals reach together in cosine and MRR, and what a model gains over it.

Cosine alone rewards the mean of the context, rank alone rewards copying the last frame
(docs/specification.md, "Cosine against rank"). The frontier at cosine c is the best MRR that the rivals reach with
cosine at least c, alone or by tossing a coin between two of them: tossing coins makes every chord reachable, so the
curve is the upper concave hull.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.estimate import Estimate, jackknife_interval

# A model that is one of the rivals differs from its column by rounding: 1e-15 (measured), which is no gain.
ROUNDING = 1e-9


def frontier_mrr(
    cosine: Float[np.ndarray, "b k"], mrr: Float[np.ndarray, "b k"], at: Float[np.ndarray, " b"]
) -> Float[np.ndarray, " b"]:
    """The frontier's MRR at cosine ``at``, for each of B sets of K rivals.

    Beyond the largest cosine of any rival the frontier continues flat, at the MRR of that rival.

    The hull's edge over the query is found from its ends inwards: the rival farthest above the chord between the best
    rank and the best cosine replaces one of the two, as long as that lifts the chord (six times at most for 700
    rivals).
    """
    rows = np.arange(len(cosine))
    query = np.minimum(at, cosine.max(axis=1))
    left, right = _first_then(mrr, cosine), _first_then(cosine, mrr)
    reached = mrr[rows, left]
    pending = np.flatnonzero(cosine[rows, left] < query)
    reached[pending] = -np.inf
    while len(pending):
        low, high, wanted = left[pending], right[pending], query[pending]
        run = cosine[pending, high] - cosine[pending, low]
        drop = mrr[pending, low] - mrr[pending, high]
        chord = mrr[pending, low] - (wanted - cosine[pending, low]) / run * drop
        lifted = chord > reached[pending]
        reached[pending] = np.maximum(reached[pending], chord)
        best = (mrr[pending] + (drop / run)[:, None] * cosine[pending]).argmax(axis=1)
        before = cosine[pending, best] < wanted
        left[pending] = np.where(before, best, low)
        right[pending] = np.where(before, high, best)
        # Rounding may name a rival on the chord the farthest above it: what lifts nothing ends the search.
        pending = pending[lifted]
    return np.asarray(reached)


def _first_then(first: Float[np.ndarray, "b k"], then: Float[np.ndarray, "b k"]) -> Int[np.ndarray, " b"]:
    """The column of the largest ``first``, among equals that of the largest ``then``."""
    return np.asarray(np.where(first >= first.max(axis=1, keepdims=True), then, -np.inf).argmax(axis=1))


@dataclass(frozen=True)
class Frontier:
    """K rivals on the windows of one split, summed by article: every mean without an article follows.

    Attributes:
        article: (n,) position among the G articles of each window.
        windows: (G,) windows of each article.
        cosine: (G, K) sums.
        mrr: (G, K) sums of reciprocal ranks.
    """

    article: Int[np.ndarray, " n"]
    windows: Float[np.ndarray, " g"]
    cosine: Float[np.ndarray, "g k"]
    mrr: Float[np.ndarray, "g k"]

    @classmethod
    def of(
        cls, cosine: Float[np.ndarray, "n k"], mrr: Float[np.ndarray, "n k"], clusters: Int[np.ndarray, " n"]
    ) -> "Frontier":
        """From one row a window and one column a rival."""
        _, article = np.unique(clusters, return_inverse=True)
        groups = int(article.max()) + 1 if len(article) else 0
        sums = [np.stack([values[article == g].sum(axis=0) for g in range(groups)]) for values in (cosine, mrr)]
        return cls(article, np.bincount(article).astype(np.float64), *sums)

    @property
    def means(self) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Mean cosine and MRR of each rival."""
        total = self.windows.sum()
        return self.cosine.sum(axis=0) / total, self.mrr.sum(axis=0) / total

    def vertices(self) -> Int[np.ndarray, " v"]:
        """The rivals that make the frontier, from the best rank to the best cosine."""
        cosine, mrr = self.means
        order = np.lexsort((mrr, cosine))[::-1]
        kept: list[int] = []
        for rival in order.tolist():  # from the best cosine down: a monotone chain
            if kept and mrr[rival] <= mrr[kept[-1]]:
                continue
            while len(kept) > 1 and _below(cosine, mrr, rival, kept[-1], kept[-2]):
                kept.pop()
            kept.append(rival)
        return np.array(kept[::-1], dtype=np.int64)

    def gains(self, cosine: Float[np.ndarray, " n"], mrr: Float[np.ndarray, " n"]) -> tuple[Estimate, Estimate]:
        """What a model gains on the same windows.

        Args:
            cosine: of the model, one a window.
            mrr: its reciprocal ranks.

        Returns:
            F, its MRR minus the frontier's at its cosine, and the excess of its cosine over every rival's. The
            intervals are those of the delete-one-article jackknife; the frontier is computed anew without each.
        """
        undefined = Estimate(float("nan"), float("nan"), float("nan"), len(cosine))
        if len(cosine) == 0 or not (np.isfinite(cosine).all() and np.isfinite(mrr).all()):
            return undefined, undefined
        own = [np.bincount(self.article, weights=values) for values in (cosine, mrr)]
        own_cosine, own_mrr = (self._means(sums[:, None])[:, 0] for sums in own)
        rivals_cosine, rivals_mrr = self._rival_means
        excess_mrr = own_mrr - frontier_mrr(rivals_cosine, rivals_mrr, own_cosine)
        excess_cosine = own_cosine - rivals_cosine.max(axis=1)
        snapped = (np.where(np.abs(values) < ROUNDING, 0.0, values) for values in (excess_mrr, excess_cosine))
        f, excess = (jackknife_interval(float(values[0]), values[1:], self.windows) for values in snapped)
        return f, excess

    @property
    def _rival_means(self) -> tuple[Float[np.ndarray, "g_plus_1 k"], Float[np.ndarray, "g_plus_1 k"]]:
        return self._means(self.cosine), self._means(self.mrr)

    def _means(self, sums: Float[np.ndarray, "g k"]) -> Float[np.ndarray, "g_plus_1 k"]:
        """Means over all articles, and without each one in turn."""
        total, count = sums.sum(axis=0), self.windows.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            without = (total - sums) / (count - self.windows)[:, None]
        return np.concatenate([(total / count)[None], without])


def _below(cosine: Float[np.ndarray, " k"], mrr: Float[np.ndarray, " k"], new: int, last: int, before: int) -> bool:
    """Whether ``last`` lies on or below the chord from ``before`` to ``new``."""
    run, rise = cosine[before] - cosine[new], mrr[before] - mrr[new]
    return bool((mrr[last] - mrr[new]) * run <= rise * (cosine[last] - cosine[new]))
