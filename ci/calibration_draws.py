"""Draws of articles, and what profile `skill` says of every predictor on each of them.

The rivals' frontier is the same for all predictors of a draw, so it is built once and asked for all of them;
`harness.statistics.frontier.Frontier.gains` walks along it for one, and a test holds the two together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ci.calibration_scores import Totals
from lvm_gates.harness.base.estimate import jackknife_interval
from lvm_gates.harness.statistics.frontier import ROUNDING


@dataclass(frozen=True)
class Judged:
    """K predictors on one draw of articles.

    Attributes:
        gain: (K,) F, the MRR minus the frontier's at the same cosine.
        gain_low: (K,) lower end of its interval.
        excess: (K,) cosine minus the largest of any rival.
        excess_low: (K,) lower end of its interval.
    """

    gain: Float[np.ndarray, " k"]
    gain_low: Float[np.ndarray, " k"]
    excess: Float[np.ndarray, " k"]
    excess_low: Float[np.ndarray, " k"]

    def released(self, smallest: float) -> Bool[np.ndarray, " k"]:
        """Whether the split alone would let each of them pass: shown, and worth having."""
        along = (self.gain_low > 0) & (self.gain >= smallest)
        beyond = (self.excess_low > 0) & (self.excess >= smallest)
        return np.asarray(along | beyond)


def judge(predictors: Totals, rivals: Totals) -> Judged:
    """Every predictor against the frontier of the rivals, with the interval of the delete-one-article jackknife."""
    groups = len(predictors.windows)
    weights = np.concatenate([np.ones((1, groups)), 1.0 - np.eye(groups)])
    cosine, mrr = predictors.means(weights)
    rival_cosine, rival_mrr = rivals.means(weights)
    gain = mrr - frontier(rival_cosine, rival_mrr, cosine)
    excess = cosine - rival_cosine.max(axis=1, keepdims=True)
    for values in (gain, excess):
        values[np.abs(values) < ROUNDING] = 0.0
    lows = [
        [jackknife_interval(float(column[0]), column[1:], predictors.windows).low for column in values.T]
        for values in (gain, excess)
    ]
    return Judged(gain[0], np.array(lows[0]), excess[0], np.array(lows[1]))


def frontier(
    cosine: Float[np.ndarray, "b k"], mrr: Float[np.ndarray, "b k"], at: Float[np.ndarray, "b q"]
) -> Float[np.ndarray, "b q"]:
    """Best MRR that K rivals reach with cosine at least ``at``, alone or by tossing a coin between two of them.

    Beyond the largest cosine of any rival it continues flat, as in `harness.statistics.frontier.frontier_mrr`.
    """
    reached = np.empty_like(at)
    for b in range(len(at)):
        corners = _corners(cosine[b], mrr[b])
        reached[b] = np.interp(at[b], cosine[b, corners], mrr[b, corners])
    return reached


def _corners(cosine: Float[np.ndarray, " k"], mrr: Float[np.ndarray, " k"]) -> Int[np.ndarray, " corners"]:
    """Corners of the upper concave hull from the point of best MRR on, by rising cosine."""
    order = np.lexsort((mrr, cosine))[::-1]
    best = np.maximum.accumulate(mrr[order])
    # Only those with a better MRR than everything of larger cosine can be corners.
    candidates = order[np.concatenate([[True], best[1:] > best[:-1]])]
    corners: list[int] = []
    for k in candidates:
        while len(corners) > 1:
            a, c = corners[-2], corners[-1]
            below = (mrr[c] - mrr[a]) * (cosine[k] - cosine[a]) >= (mrr[k] - mrr[a]) * (cosine[c] - cosine[a])
            if not below:
                break
            corners.pop()
        corners.append(int(k))
    return np.array(corners[::-1])


def draws(
    articles: int, each: int, count: int, seed: int
) -> Iterator[tuple[Int[np.ndarray, " e"], Int[np.ndarray, " e"]]]:
    """Pairs of disjoint sets of ``each`` article positions, VAL and OOD."""
    for number in range(count):
        order = np.random.default_rng([seed, number]).permutation(articles)
        yield np.sort(order[:each]), np.sort(order[each : 2 * each])
