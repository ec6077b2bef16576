"""The pair of neighbouring chunks most like a window's last frame and target, among all pairs of a reference.

The likeness of two pairs is the smaller of their two cosines: both chunks must be there, in order. The reference
streams through in blocks and tiles, so the cost in memory is one block, whatever its size.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS
from lvm_gates.harness.leaks.chunks import Chunks

# A tile of similarities, 1 MiB to 2 MiB of float32, stays in a core's cache between the product and its maxima.
_WINDOWS = 128
_COLUMNS = 2048
# Below any cosine: pairs that do not stand next to each other, or that may not be compared.
_NEVER = -2.0


class Pairs(NamedTuple):
    """The most alike pair of the reference for each window: its likeness, and the position of its first chunk."""

    likeness: Float[np.ndarray, " n"]
    position: Int[np.ndarray, " n"]


class Rivalry(NamedTuple):
    """For each window its most alike pair read forwards and read backwards.

    Attributes:
        forwards: the best pair in reading order.
        backwards: the best pair in reverse order.
        decoy: likeness of the same, only of articles that are more alike backwards than forwards.
    """

    forwards: Pairs
    backwards: Pairs
    decoy: Float[np.ndarray, " n"]


class _Tile(NamedTuple):
    windows: slice
    begin: int
    """Position of the first chunk of the first pair."""
    first: Float[np.ndarray, "w c"]
    """Cosines of last frames to chunks ``begin`` .. ``begin + c - 1``."""
    second: Float[np.ndarray, "w c"]
    """Cosines of targets to the same chunks."""
    barred: np.ndarray
    """(c - 1,) pairs that are none, or (w, c - 1) where it depends on the window."""


def nearest_pairs(
    queries: Chunks, lasts: Int[np.ndarray, " n"], reference: Chunks, passed_over: Int[np.ndarray, "n k"] | None = None
) -> Pairs:
    """For each window the most alike pair of the reference.

    Args:
        queries: where the windows lie.
        lasts: position of each window's last frame in ``queries``; its target follows.
        reference: what is searched.
        passed_over: articles of the reference, K for each window, whose pairs do not count; -1 for none.

    Returns:
        Likeness -2 and position -1 where there is no pair.
    """
    best = _nothing(len(lasts))
    for tile in _tiles(queries, lasts, reference, passed_over):
        _improve(best, tile, _barred(np.minimum(tile.first[:, :-1], tile.second[:, 1:]), tile.barred))
    return best


def rivalry(
    queries: Chunks, lasts: Int[np.ndarray, " n"], reference: Chunks, passed_over: Int[np.ndarray, "n k"] | None = None
) -> Rivalry:
    """The same search, in reading order and against it; see `Rivalry` and `nearest_pairs`."""
    found = Rivalry(_nothing(len(lasts)), _nothing(len(lasts)), _nothing(len(lasts)).likeness)
    for tile in _tiles(queries, lasts, reference, passed_over):
        forwards = _barred(np.minimum(tile.first[:, :-1], tile.second[:, 1:]), tile.barred)
        backwards = _barred(np.minimum(tile.first[:, 1:], tile.second[:, :-1]), tile.barred)
        _improve(found.forwards, tile, forwards)
        _improve(found.backwards, tile, backwards)
        articles = reference.articles[tile.begin : tile.begin + forwards.shape[1]]
        starts = np.flatnonzero(np.append(True, articles[1:] != articles[:-1]))
        there = np.maximum.reduceat(forwards, starts, axis=1)
        back = np.maximum.reduceat(backwards, starts, axis=1)
        decoy = np.where(back > there, back, np.float32(_NEVER)).max(axis=1)
        found.decoy[tile.windows] = np.maximum(found.decoy[tile.windows], decoy)
    return found


def _nothing(n: int) -> Pairs:
    return Pairs(np.full(n, _NEVER, dtype=np.float32), np.full(n, -1, dtype=np.int64))


def _improve(best: Pairs, tile: _Tile, likeness: Float[np.ndarray, "w c"]) -> None:
    """Take over what is better in one tile; of equals the first stays."""
    place = likeness.argmax(axis=1)
    value = likeness[np.arange(len(place)), place]
    closer = value > best.likeness[tile.windows]
    best.likeness[tile.windows][closer] = value[closer]
    best.position[tile.windows][closer] = tile.begin + place[closer]


def likeness_at(
    queries: Chunks, lasts: Int[np.ndarray, " k"], reference: Chunks, positions: Int[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Likeness of each window to one pair of the reference, that which begins at ``positions``."""
    parts = [np.empty(0, dtype=np.float32)]
    for part in slices(len(lasts), SCAN_ROWS):
        cosines = [
            np.einsum("kd,kd->k", queries.vectors(lasts[part] + step), reference.vectors(positions[part] + step))
            for step in (0, 1)
        ]
        parts.append(np.minimum(*cosines))
    return np.concatenate(parts)


def _tiles(
    queries: Chunks, lasts: Int[np.ndarray, " n"], reference: Chunks, passed_over: Int[np.ndarray, "n k"] | None
) -> Iterator[_Tile]:
    """Every window against every pair. A pair that straddles a border belongs to the tile of its first chunk."""
    if len(lasts) == 0:
        return
    asked, where = np.unique(np.stack([lasts, lasts + 1]), return_inverse=True)
    where = where.reshape(2, -1)
    vectors = queries.vectors(asked)
    broken = reference.runs[1:] != reference.runs[:-1]
    for block in slices(len(reference) - 1, SCAN_ROWS):
        held = reference.vectors(np.arange(block.start, block.stop + 1))
        for columns in slices(len(held) - 1, _COLUMNS):
            candidates = held[columns.start : columns.stop + 1].T
            begin = block.start + columns.start
            barred = broken[begin : begin + candidates.shape[1] - 1]
            for some in slices(len(lasts), _WINDOWS):
                rows, at = np.unique(where[:, some], return_inverse=True)
                cosines = vectors[rows] @ candidates
                first, second = at.reshape(2, -1)
                mine = barred
                for article in () if passed_over is None else passed_over[some].T:
                    mine = mine | (article[:, None] == reference.articles[begin : begin + len(barred)])
                yield _Tile(some, begin, cosines[first], cosines[second], mine)


def _barred(likeness: Float[np.ndarray, "w c"], barred: np.ndarray) -> Float[np.ndarray, "w c"]:
    if barred.ndim == 1:
        likeness[:, barred] = _NEVER
    else:
        likeness[barred] = _NEVER
    return likeness
