"""Rank of the true next chunk among candidates, exact, with ties and NaN told apart from skill.

The cosines of a window to its target and to every candidate are compared as float64 has them, all along one path: the
original battery compared a matrix product with a separate dot product, and the target could be outranked by itself
(docs/sources.md, "Two arithmetic paths"). Most comparisons are settled by a float32 product all the same: it is off by
no more than `rounding`, so only candidates within that of the target are looked at again, in float64.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.hashing import hash64
from lvm_gates.harness.base.vectors import dots, slices, unit
from lvm_gates.harness.corpus.equality import SAME

# Float64 cosines of one pair computed in different batch shapes agree to 1e-15; a float16 embedding that differs from
# another in its last bit of one coordinate moves a cosine by 1e-10. Anything in between separates the two.
TIE = 1e-12
# Candidates compared at once: with 256 windows 2 MB of float32, which stay in a core's cache.
_TILE = 2048
# The same for a dozen predictors at a time, whose products take as much.
_SHARED_TILE = 512
_KEYS = 1
# Pairs looked at again at once: 24 MB of float64 at 768 dimensions. Beyond that a product of the whole tile is cheaper.
_PAIRS = 4096


class Pairs(NamedTuple):
    """Cells of a table of windows and candidates, sorted by candidate."""

    window: Int[np.ndarray, " k"]
    candidate: Int[np.ndarray, " k"]

    @classmethod
    def of(cls, window: Int[np.ndarray, " k"], candidate: Int[np.ndarray, " k"]) -> "Pairs":
        """The distinct ones of any cells."""
        width = int(window.max(initial=0)) + 1
        candidate, window = np.divmod(np.unique(candidate * width + window), width)
        return cls(window, candidate)

    @classmethod
    def in_rows(cls, rows: Int[np.ndarray, "n k"], candidates: Int[np.ndarray, " m"]) -> "Pairs":
        """Of each window the candidates that are among some rows of its own.

        Args:
            rows: of each window.
            candidates: rows of the same corpus, rising, at least one.
        """
        place = np.minimum(np.searchsorted(candidates, rows), len(candidates) - 1)
        window, column = np.nonzero(candidates[place] == rows)
        return cls.of(window, place[window, column])

    def take(self, some: Bool[np.ndarray, " k"]) -> "Pairs":
        """Those of a mask."""
        return Pairs(self.window[some], self.candidate[some])

    def among(self, candidates: slice) -> "Pairs":
        """Those of some candidates, which are counted from the first of them."""
        mine = slice(*np.searchsorted(self.candidate, [candidates.start, candidates.stop]))
        return Pairs(self.window[mine], self.candidate[mine] - candidates.start)

    def joined(self, other: "Pairs") -> "Pairs":
        """These and others."""
        return Pairs.of(np.append(self.window, other.window), np.append(self.candidate, other.candidate))


class Ahead(NamedTuple):
    """What was found of the candidates of each window.

    Attributes:
        above: how many are more alike to the prediction than the target is.
        tied: how many are as alike.
        equal: how many are the same answer as the target, where that was looked for; they are neither.
    """

    above: Int[np.ndarray, " n"]
    tied: Int[np.ndarray, " n"]
    equal: Int[np.ndarray, " n"]

    @classmethod
    def nothing(cls, n: int) -> "Ahead":
        """Of n windows."""
        return cls(*(np.zeros(n, dtype=np.int64) for _ in cls._fields))


def rounding(dim: int) -> float:
    """Largest error of a float32 product of two unit vectors, one of them rounded to float32 on the way.

    d products and d - 1 sums, in whatever order and fused or not, are off by at most d u sum |x_i y_i| to first order
    (Higham 2002, section 3.1), u = 2^-24, and that sum is at most 1. Rounding of the vectors adds 3 u; the rest of the
    eight covers terms of second order.
    """
    return (dim + 8) * 2.0**-24


def count_ahead(
    predictions: Float[np.ndarray, "n d"],
    target: Float[np.ndarray, " n"],
    candidates: Float[np.ndarray, "m d"],
    barred: Sequence[Pairs],
    own: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]] | None = None,
    targets: Float[np.ndarray, "n d"] | None = None,
) -> list[Ahead]:
    """Compare candidates with the target of each window, in nested candidate sets.

    Args:
        predictions: unit vectors, NaN throughout where there is no direction; nothing is ahead of their targets.
        target: cosine of each to its target, by `lvm_gates.harness.base.vectors.dots`.
        candidates: unit vectors, float32.
        barred: for each set the pairs that do not count in it, beside those of the sets before.
        own: of each window the first candidate that counts and the one after the last; by default all count.
        targets: unit vectors, float64, where candidates that equal them are to be found; else ``barred`` names them.

    Returns:
        For each set what is ahead of the targets in it.
    """
    (found,) = count_ahead_together([predictions], [target], candidates, barred, own, targets)
    return found


def count_ahead_together(
    predictions: Sequence[Float[np.ndarray, "n d"]],
    target: Sequence[Float[np.ndarray, " n"]],
    candidates: Float[np.ndarray, "m d"],
    barred: Sequence[Pairs],
    own: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]] | None = None,
    targets: Float[np.ndarray, "n d"] | None = None,
) -> list[list[Ahead]]:
    """`count_ahead` for several predictors on the same windows; what they predict alike is multiplied once.

    Args:
        predictions: of each predictor.
        target: of each predictor.
        candidates: see `count_ahead`, as all that follows.
        barred: the same.
        own: the same.
        targets: the same.
    """
    n, dim = predictions[0].shape
    # What lies within `SAME` of the target is as far from its cosine at most.
    slack = TIE + rounding(dim) + (SAME if targets is not None else 0.0)
    single, places = _distinct([p.astype(np.float32) for p in predictions])
    # Outwards, so that rounding the limits loses nothing.
    highs = [np.nextafter((t + slack).astype(np.float32), np.float32(np.inf))[:, None] for t in target]
    lows = [np.nextafter((t - slack).astype(np.float32), np.float32(-np.inf))[:, None] for t in target]
    found = [[Ahead.nothing(n) for _ in barred] for _ in predictions]
    for part in slices(len(candidates), _TILE if len(predictions) == 1 else _SHARED_TILE):
        vectors = candidates[part]
        products = single @ vectors.T
        gone = [pairs.among(part) for pairs in barred]
        position = np.arange(part.start, part.stop)
        outside = None if own is None else (position < own[0][:, None]) | (position >= own[1][:, None])
        for p, place in enumerate(places):
            similarity = products if place is None else products[place]
            if outside is not None:
                similarity[outside] = -np.inf
            for pairs, counts in zip(gone, found[p], strict=True):
                similarity[pairs.window, pairs.candidate] = -np.inf
                above = similarity > highs[p]
                counts.above[:] += _per_row(above)
                undecided = (similarity >= lows[p]) ^ above
                window, candidate = np.divmod(np.flatnonzero(undecided), vectors.shape[0])
                gap, equal = _looked_at_again(predictions[p], targets, vectors, window, candidate, undecided)
                gap -= target[p][window]
                others, tied = ~equal, np.abs(gap) <= TIE
                for count, which in zip(counts, ((gap > TIE) & others, tied & others, equal), strict=True):
                    count[:] += np.bincount(window[which], minlength=n)
    return found


def _distinct(
    predictions: Sequence[Float[np.ndarray, "n d"]],
) -> tuple[Float[np.ndarray, "k d"], list[Int[np.ndarray, " n"] | None]]:
    """The different rows among the predictions of several, and where each one's are; None: as they come.

    One copies the last frame and another, in the next window, the one before; a third says the same everywhere.
    """
    if len(predictions) == 1:
        return predictions[0], [None]
    stacked = np.concatenate(predictions)
    bits = stacked.view(np.uint32)
    # Multilinear hashing (Lemire and Kaser 2014) finds rows that may be equal; whether they are is then looked at.
    keys = np.einsum("nk,k->n", bits, hash64(np.arange(bits.shape[1]), 0, _KEYS) | np.uint64(1))
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[place] != np.arange(len(stacked)))
    if (bits[again] != bits[first[place[again]]]).any():  # two of 2^64 keys: then nothing is shared
        first = place = np.arange(len(stacked))
    return stacked[first], [*np.split(place, len(predictions))]


def _per_row(mask: Bool[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
    """How many are set in each row of at most `_TILE`: five times as fast as ``count_nonzero`` along an axis."""
    return np.asarray(mask.view(np.uint8).sum(axis=1, dtype=np.uint16), dtype=np.int64)


def _looked_at_again(
    predictions: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, "n d"] | None,
    vectors: Float[np.ndarray, "m d"],
    window: Int[np.ndarray, " k"],
    candidate: Int[np.ndarray, " k"],
    undecided: Bool[np.ndarray, "n m"],
) -> tuple[Float[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """Float64 cosines of some pairs, and which of the candidates equal the target."""
    equal = np.zeros(len(window), dtype=bool)
    if targets is None and len(window) > _PAIRS:
        return np.asarray((predictions @ unit(vectors).T)[undecided]), equal
    cosine = np.empty(len(window))
    for part in slices(len(window), _PAIRS):
        units = unit(vectors[candidate[part]])
        cosine[part] = dots(predictions[window[part]], units)
        if targets is not None:
            # Unit vectors at a distance of d have cosine 1 - d^2 / 2.
            equal[part] = dots(targets[window[part]], units) >= 1.0 - SAME**2 / 2
    return cosine, equal


def mean_rank(ahead: Ahead, rivals: Int[np.ndarray, " n"], target: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Rank of each target among itself and its rivals.

    Rivals that tie with the target count one half each, which is the mean rank over all orders of the tied; a window
    whose prediction has no direction gets the worst rank.

    Args:
        ahead: of each target.
        rivals: candidates that count.
        target: cosine to the target.
    """
    return np.where(np.isfinite(target), 1.0 + ahead.above + 0.5 * ahead.tied, 1.0 + rivals)


def expected_rank(
    similarity: Float[np.ndarray, "b m"],
    target: Float[np.ndarray, " b"],
    rival: Bool[np.ndarray, "b m"],
) -> tuple[Float[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """`mean_rank` where all float64 similarities are there, and the number of candidates: the reference.

    Args:
        similarity: of the prediction to each candidate.
        target: of the prediction to the target.
        rival: candidates that count; the target and chunks equal to it are left out by the caller.
    """
    rivals = rival.sum(axis=1)
    above = (rival & (similarity > target[:, None] + TIE)).sum(axis=1)
    tied = (rival & (np.abs(similarity - target[:, None]) <= TIE)).sum(axis=1)
    return mean_rank(Ahead(above, tied, np.zeros_like(rivals)), rivals, target), rivals + 1
