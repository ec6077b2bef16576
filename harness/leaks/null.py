"""How alike pairs of unrelated articles are: the null that says which likeness is a leak. No fixed cosine would do.

A pair of chunks and the same pair read backwards are as alike to anything that is unrelated to them, since a chain of
embeddings is nearly reversible; a copy is alike in reading order only. So the best pair *against* reading order is a
decoy: what chance offers in the same reference, for the same windows, in as many places (target-decoy competition, as
in the search of protein spectra: Elias & Gygi 2007). Copies must leave the null alone, also where every window is one:
an article counts as a decoy only where it is more alike backwards than forwards, and never where a judged article draws
most of its matches from it. Measured: forwards and backwards agree up to the .999 quantile on Wikipedia against Brown
and PEPs (.527 and .506), Brown against PEPs (.456 and .463) and halves of Brown (.580 and .568).

Where time has a direction (a dataset whose state turns) reading order is worth something between unrelated articles too
(.08 in dataset `arrow`, at most .006 on text); that is measured among the articles of the judged split and added.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.leaks.chunks import Chunks
from lvm_gates.harness.leaks.runs import REACH, votes
from lvm_gates.harness.leaks.search import rivalry

# Expected share of unrelated windows called leaked: half of it by themselves, half as parts of a run.
RATE = 1e-3
# How often an unrelated window reaches the lower level, which counts in a run only.
SUPPORTED_RATE = 0.1
# Two copies embedded anew are at least as alike; whatever the null says, such a pair is a leak.
CERTAIN = 0.99
# Windows that the null is taken from, in whole articles: 200 of them lie in the tenth that the tail is fitted to.
SAMPLE = 2_000
# Smallest number of excesses that a tail is fitted to.
LEAST = 10
# Fewest neighbours, of eight, that make a run: by chance five agree on one place for .0009 to .0022 of the windows of
# Wikipedia, Brown and PEPs; of chunks cut anew half a chunk off, for .90.
LEAST_VOTES = 5
# Where reading order is worth as much, matches by chance follow one another, and runs say nothing.
ORDERED = 0.02


class Null(NamedTuple):
    """What makes a window leaked: likeness above ``alone``, or ``votes`` neighbours and likeness above ``in_run``."""

    alone: float
    in_run: float
    votes: int


def null_of(
    queries: Chunks, lasts: Int[np.ndarray, " n"], reference: Chunks, passed_over: Int[np.ndarray, "n k"]
) -> Null:
    """Thresholds for the windows with last frames at ``lasts`` against ``reference``; see `nearest_pairs`."""
    some = _whole_articles(queries.articles[lasts])
    here = lasts[some]
    found = rivalry(queries, here, reference, passed_over[some])
    worth = _worth_of_order(queries, here)
    decoys = found.decoy[found.decoy > -1].astype(np.float64)
    if len(decoys) < LEAST:  # a reference without unrelated text, of one article say
        return Null(CERTAIN, CERTAIN, 2 * REACH + 1)
    chance = votes(queries, here, reference, found.backwards.position, direction=-1)
    enough = (v for v in range(LEAST_VOTES, 2 * REACH + 1) if np.mean(chance >= v) <= RATE / 2)
    return Null(
        min(tail_threshold(decoys, RATE / 2) + worth, CERTAIN),
        min(tail_threshold(decoys, SUPPORTED_RATE) + worth, CERTAIN),
        next(enough, 2 * REACH + 1) if worth < ORDERED else 2 * REACH + 1,
    )


def tail_threshold(decoys: Float[np.ndarray, " n"], rate: float) -> float:
    """The value that decoys exceed at ``rate``, by an exponential tail above their 90 % point.

    The scale of the tail is that of its median excess, which a few copies among the decoys do not move; their mean or
    an order statistic far out would follow them. At least two decoys.
    """
    n = len(decoys)
    kept = min(n - 1, max(LEAST, n // 10))
    ordered = _without_ties(decoys)
    foot = float(ordered[-kept - 1])
    scale = float(np.median(ordered[-kept:] - foot)) / np.log(2)
    return float(foot + scale * max(0.0, np.log(kept / n / rate)))


def _without_ties(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Sorted, with ties spread evenly over the step between values: signatures know 80 likenesses, and half may tie."""
    distinct, counts = np.unique(values.round(5), return_counts=True)
    step = np.diff(distinct).min(initial=np.inf)
    place = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (place + 0.5) / np.repeat(counts, counts) - 0.5
    return np.asarray(np.repeat(distinct, counts) + (share * step if np.isfinite(step) else 0.0))


def _whole_articles(articles: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Indices of the windows of articles spread evenly over the split, about `SAMPLE` windows."""
    names, counts = np.unique(articles, return_counts=True)
    wanted = max(1, round(len(names) * SAMPLE / counts.sum()))
    chosen = names[np.linspace(0, len(names) - 1, min(len(names), wanted)).round().astype(np.int64)]
    return np.flatnonzero(np.isin(articles, chosen))


def _worth_of_order(queries: Chunks, lasts: Int[np.ndarray, " n"]) -> float:
    """What reading order adds to the likeness of unrelated articles: a difference of medians within the split."""
    found = rivalry(queries, lasts, queries, queries.articles[lasts, None])
    if not (found.forwards.position >= 0).any():
        return 0.0
    return max(0.0, float(np.median(found.forwards.likeness) - np.median(found.backwards.likeness)))
