"""Which windows are leaked: alike enough to a pair of neighbours by themselves, or as part of a run of matches."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from lvm_gates.harness.leaks.chunks import Chunks
from lvm_gates.harness.leaks.null import Null, null_of
from lvm_gates.harness.leaks.runs import drawn_along, votes
from lvm_gates.harness.leaks.search import nearest_pairs

# A share of an article's windows that match best in one and the same article of the reference only if it is a copy,
# edited or cut anew; beyond that article's share of the reference, which is what it has by chance.
_SOURCE = 0.2


class Found(NamedTuple):
    """What a search found.

    Attributes:
        leaked: whether each window is leaked.
        null: the thresholds; NaN where there was nothing to search.
    """

    leaked: Bool[np.ndarray, " n"]
    null: Null


def find_leaks(queries: Chunks, lasts: Int[np.ndarray, " n"], reference: Chunks, *, own: bool = False) -> Found:
    """Search ``reference`` for the (last frame, target) of every window.

    Args:
        queries: where the windows lie.
        lasts: position of each window's last frame in ``queries``, rising; its target follows.
        reference: of as many dimensions.
        own: the reference is ``queries``; only copies in another article count.
    """
    if len(lasts) == 0 or len(reference) < 2:
        return Found(np.zeros(len(lasts), dtype=bool), Null(float("nan"), float("nan"), 0))
    own_article = queries.articles[lasts] if own else np.full(len(lasts), -1)
    pairs = nearest_pairs(queries, lasts, reference, own_article[:, None] if own else None)
    sources = _sources(queries.articles[lasts], pairs.position, reference)
    null = null_of(queries, lasts, reference, np.stack([own_article, sources], axis=1))
    leaked = pairs.likeness > null.alone
    leaked |= (votes(queries, lasts, reference, pairs.position) >= null.votes) & (pairs.likeness > null.in_run)
    return Found(leaked | drawn_along(leaked, pairs, queries, lasts, reference, null.in_run), null)


def _sources(
    judged: Int[np.ndarray, " n"], position: Int[np.ndarray, " n"], reference: Chunks
) -> Int[np.ndarray, " n"]:
    """For each window the article that its own article draws most matches from, -1 where those are no `_SOURCE`."""
    matched = reference.articles[position]
    pairs, counts = np.unique(np.stack([judged, matched])[:, position >= 0], axis=1, return_counts=True)
    windows, size = np.bincount(judged), np.bincount(reference.articles) / len(reference)
    sources = np.full(len(windows), -1, dtype=np.int64)
    for i in np.argsort(counts, kind="stable"):
        article, source = pairs[:, i]
        if counts[i] > max(1.0, (_SOURCE + size[source]) * windows[article]):
            sources[article] = source
    return np.asarray(sources[judged])
