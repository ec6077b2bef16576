"""Rank of the true next chunk among candidates, exact, with ties and NaN told apart from skill.

All similarities of a window come out of one float64 product, the target's own included: the original battery compared
a matrix product with a separate dot product, and the target could be outranked by itself
(docs/sources.md, "Two arithmetic paths").
"""

import numpy as np
from jaxtyping import Bool, Float, Int

# Float64 cosines of one pair computed in different batch shapes agree to 1e-15; a float16 embedding that differs from
# another in its last bit of one coordinate moves a cosine by 1e-10. Anything in between separates the two.
TIE = 1e-12


def expected_rank(
    similarity: Float[np.ndarray, "b m"],
    target: Float[np.ndarray, " b"],
    rival: Bool[np.ndarray, "b m"],
) -> tuple[Float[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Rank of the target among itself and its rivals, and the size of that set.

    Rivals that tie with the target count one half each, which is the mean rank over all orders of the tied; a window
    whose similarities are not finite gets the worst rank.

    Args:
        similarity: of the prediction to each candidate.
        target: of the prediction to the target.
        rival: candidates that count; the target and chunks equal to it are left out by the caller.
    """
    rivals = rival.sum(axis=1)
    above = (rival & (similarity > target[:, None] + TIE)).sum(axis=1)
    tied = (rival & (np.abs(similarity - target[:, None]) <= TIE)).sum(axis=1)
    rank = 1.0 + above + 0.5 * tied
    return np.where(np.isfinite(target), rank, 1.0 + rivals), rivals + 1
