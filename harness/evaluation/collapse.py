"""Collapse: predictions that no longer depend on the context.

Two measures, because each is blind where the other sees (measured): constant output plus 1e-4 noise has centred
RankMe 749 of 768 but uncentred 1.04; output on one axis with random sign has no mean to betray it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.estimate import Estimate, linearised

# RankMe grows with the number of vectors (64 isotropic ones give 63, 16,384 give 764 of 768; measured), so it is
# always taken on the same number and compared at that number only.
RANK_SAMPLE = 512
_EPSILON = 1e-7
# Groups of articles that are left out in turn for the interval of a rank: twenty eigenvalue problems a predictor, .2 s
# at 384 dimensions. Its influence cannot be had from one: ranks bend so sharply that the derivative's error is a fifth
# of what draws of articles show, where that of the groups is 1.0 to 1.3 times as large and covers .92 to .98 (10 to 60
# articles of PEPs and Brown; docs/intervals.md).
RANK_GROUPS = 10


class Spread(NamedTuple):
    """How much of the space a set of unit vectors occupies."""

    rankme: float
    rankme_centred: float
    variance: float
    n: int


def rankme(vectors: Float[np.ndarray, "n d"]) -> float:
    """Effective rank exp(H(p)), p the normalised singular values (RankMe, arXiv 2210.02885)."""
    # Singular values from the smaller Gram matrix: ten times faster than an SVD, blind below 1e-8 of the largest, and
    # values that small cannot move the entropy.
    gram = vectors @ vectors.T if len(vectors) < vectors.shape[1] else vectors.T @ vectors
    singular = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0.0, None))
    total = singular.sum()
    if total == 0.0:
        return 1.0
    p = singular / total + _EPSILON
    return float(np.exp(-np.sum(p * np.log(p))))


def spread(vectors: Float[np.ndarray, "n d"]) -> Spread:
    """Effective ranks and total variance of the first `RANK_SAMPLE` finite rows, evenly spaced over the set."""
    finite = vectors[_sample(vectors)]
    if len(finite) < 2:
        return Spread(float("nan"), float("nan"), float("nan"), len(finite))
    centred = finite - finite.mean(axis=0)
    return Spread(rankme(finite), rankme(centred), float((centred**2).sum(axis=1).mean()), len(finite))


def ranks_without(vectors: Float[np.ndarray, "n d"], groups: Int[np.ndarray, " n"]) -> Float[np.ndarray, "groups 3"]:
    """What is left of a `spread` without each of `RANK_GROUPS` groups of articles.

    Args:
        vectors: as given to `spread`.
        groups: of each, by `groups_of`.

    Returns:
        ``rankme`` and ``rankme_centred`` of the others, and how many rows the group has.
    """
    kept = _sample(vectors)
    rows, group = vectors[kept], groups[kept]
    found = np.full((RANK_GROUPS, 3), np.nan)
    for g in range(RANK_GROUPS):
        rest = rows[group != g]
        found[g, 2] = len(rows) - len(rest)
        if len(rest) > 1:
            found[g, :2] = rankme(rest), rankme(rest - rest.mean(axis=0))
    return found


def groups_of(clusters: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The group of each window: every tenth article is in a group."""
    return np.asarray(np.unique(clusters, return_inverse=True)[1] % RANK_GROUPS)


def rank_ratio(
    ranks: tuple[float, float],
    without: tuple[Float[np.ndarray, "groups 3"], Float[np.ndarray, "groups 3"]],
    column: int,
    n: int,
    articles: int,
) -> Estimate:
    """The ratio of two effective ranks on the same windows, with the interval of its delete-a-group jackknife.

    Args:
        ranks: of the model, and of what it is compared with.
        without: `ranks_without` of both.
        column: 0 for ``rankme``, 1 for ``rankme_centred``.
        n: predictions that a rank is taken on.
        articles: behind them.
    """
    undefined = Estimate(float("nan"), float("nan"), float("nan"), n, articles)
    if not (ranks[0] > 0.0 and ranks[1] > 0.0):
        return undefined
    value = ranks[0] / ranks[1]
    above, below = without
    logs, sizes = np.log(above[:, column] / below[:, column]), above[:, 2]
    # All ranks fall as rows are left out, so the replicates are compared with their own mean, not with the whole.
    influence = (logs.mean() - logs) * (1.0 - sizes / max(sizes.sum(), 1.0))
    around = linearised(float(np.log(value)), influence, sizes, n)
    return undefined.replace(value=value, low=float(np.exp(around.low)), high=float(np.exp(around.high)))


def _sample(vectors: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " m"]:
    finite = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    return np.asarray(finite[evenly_spaced(len(finite))])


def evenly_spaced(n: int) -> Int[np.ndarray, " m"]:
    """Which of n rows a `spread` looks at: at most `RANK_SAMPLE`."""
    return np.asarray(np.linspace(0, n - 1, RANK_SAMPLE).astype(int) if n > RANK_SAMPLE else np.arange(n))
