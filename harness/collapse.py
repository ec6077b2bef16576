"""Collapse: predictions that no longer depend on the context.

Two measures, because each is blind where the other sees (measured): constant output plus 1e-4 noise has centred
RankMe 749 of 768 but uncentred 1.04; output on one axis with random sign has no mean to betray it.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# RankMe grows with the number of vectors (64 isotropic ones give 63, 16,384 give 764 of 768; measured), so it is
# always taken on the same number and compared at that number only.
RANK_SAMPLE = 512
_EPSILON = 1e-7


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
    finite = vectors[np.isfinite(vectors).all(axis=1)]
    if len(finite) > RANK_SAMPLE:
        finite = finite[np.linspace(0, len(finite) - 1, RANK_SAMPLE).astype(int)]
    if len(finite) < 2:
        return Spread(float("nan"), float("nan"), float("nan"), len(finite))
    centred = finite - finite.mean(axis=0)
    return Spread(rankme(finite), rankme(centred), float((centred**2).sum(axis=1).mean()), len(finite))
