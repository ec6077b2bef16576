"""Runs of matches: neighbouring windows that match at neighbouring places of one article support one another.

Chunks that were edited, or cut at other boundaries, are alike to their originals by no more than strangers sometimes
are; but strangers' matches lie anywhere, and theirs lie in order. The longest run tells more than any single match
(ConTAM, arXiv 2411.03923).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from lvm_gates.harness.leaks.chunks import Chunks
from lvm_gates.harness.leaks.search import Pairs, likeness_at

# Neighbours on either side that are asked.
REACH = 4
# How far a leaked window draws others along.
_BESIDE = 2


class _Neighbours(NamedTuple):
    step: int
    windows: Int[np.ndarray, " k"]
    """Windows that have a neighbour ``step`` chunks on, in the same run."""
    beside: Int[np.ndarray, " k"]
    """Those neighbours."""


def votes(
    queries: Chunks,
    lasts: Int[np.ndarray, " n"],
    reference: Chunks,
    position: Int[np.ndarray, " n"],
    *,
    direction: int = 1,
) -> Int[np.ndarray, " n"]:
    """How many of the eight nearest windows match in the same run of the reference, at the place that this predicts.

    Args:
        queries: where the windows lie.
        lasts: position of each window's last frame in ``queries``, rising.
        reference: where they matched.
        position: of each window's match in ``reference``.
        direction: 1 if matches should follow one another in reading order, -1 against it.
    """
    count = np.zeros(len(lasts), dtype=np.int64)
    for step, windows, beside in _neighbours(queries, lasts, REACH):
        here, there = position[windows], position[beside]
        # Cut finer or coarser, a step of one chunk here is a step of none or two there.
        in_place = np.abs(there - here - direction * step) <= abs(step)
        # But not for long: windows of a repetitive text that all match one place are no run, and were most of the
        # false alarms on PEPs ("Literal Patterns", "Value Patterns", ... against one speech about patterns).
        in_place &= (there != here) | (abs(step) == 1)
        same_run = reference.runs[here] == reference.runs[there]
        count[windows] += in_place & same_run & (here >= 0) & (there >= 0)
    return count


def drawn_along(
    leaked: Bool[np.ndarray, " n"],
    pairs: Pairs,
    queries: Chunks,
    lasts: Int[np.ndarray, " n"],
    reference: Chunks,
    level: float,
) -> Bool[np.ndarray, " n"]:
    """Windows between leaked ones of one run, or more alike than ``level`` to what one beside them predicts."""
    here, there = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for step, windows, beside in _neighbours(queries, lasts, _BESIDE):
        new = leaked[beside] & ~leaked[windows]
        place = pairs.position[beside[new]]
        for drift in range(-abs(step), abs(step) + 1):
            expected = (place - step + drift).clip(0, len(reference) - 2)
            inside = (reference.runs[expected] == reference.runs[place]) & (
                reference.runs[expected + 1] == reference.runs[place]
            )
            here.append(windows[new][inside])
            there.append(expected[inside])
    window, position = np.concatenate(here), np.concatenate(there)
    drawn = _between(leaked, pairs.position, queries, lasts, reference)
    drawn[window[likeness_at(queries, lasts[window], reference, position) > level]] = True
    return drawn


def _between(
    leaked: Bool[np.ndarray, " n"],
    position: Int[np.ndarray, " n"],
    queries: Chunks,
    lasts: Int[np.ndarray, " n"],
    reference: Chunks,
) -> Bool[np.ndarray, " n"]:
    """Windows with a leaked one close by on both sides, matched in order in one run: theirs are its chunks too."""
    found = np.zeros(len(lasts), dtype=bool)
    beside = list(_neighbours(queries, lasts, _BESIDE))
    for back in (n for n in beside if n.step < 0):
        for on in (n for n in beside if n.step > 0):
            windows, i, j = np.intersect1d(back.windows, on.windows, assume_unique=True, return_indices=True)
            before, after = back.beside[i], on.beside[j]
            gone = position[after] - position[before]
            in_order = (gone >= 0) & (gone <= 2 * (on.step - back.step))
            same_run = reference.runs[position[before]] == reference.runs[position[after]]
            found[windows] |= leaked[before] & leaked[after] & in_order & same_run
    return found


def _neighbours(queries: Chunks, lasts: Int[np.ndarray, " n"], reach: int) -> Iterator[_Neighbours]:
    for step in (*range(-reach, 0), *range(1, reach + 1)):
        beside = np.searchsorted(lasts, lasts + step).clip(max=len(lasts) - 1)
        near = (lasts[beside] == lasts + step) & (queries.runs[lasts[beside]] == queries.runs[lasts])
        windows = np.flatnonzero(near)
        yield _Neighbours(step, windows, beside[windows])
