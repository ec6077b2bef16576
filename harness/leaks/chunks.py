"""Runs of chunks to search in or for: the articles of a corpus, several corpora joined, or a checkpoint's record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.corpus.corpus import Corpus


@dataclass(frozen=True)
class Chunks:
    """Chunks in reading order, by position 0..n-1; their vectors are gathered on demand.

    Attributes:
        vectors: unit vectors (k, D), float32, of k positions.
        runs: (n,) number of the contiguous run of each chunk; within a run neighbours follow one another in the text.
        articles: (n,) number of the article of each chunk; an article has one run or more.
    """

    vectors: Callable[[Int[np.ndarray, " k"]], Float[np.ndarray, "k d"]]
    runs: Int[np.ndarray, " n"]
    articles: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.runs)


def chunks_of(corpus: Corpus, articles: Int[np.ndarray, " m"]) -> Chunks:
    """The chunks of some articles of a corpus, in row order: position i is row ``sort(rows_of(articles))[i]``."""
    rows = np.sort(corpus.rows_of(articles))
    return Chunks(lambda positions: corpus.vectors(rows[positions]), corpus.run_start[rows], corpus.article_of[rows])


def joined(parts: Sequence[Chunks]) -> Chunks:
    """Several as one; no run or article goes on from one part into the next."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([len(part) for part in parts])
    begins = ends - [len(part) for part in parts]

    def vectors(positions: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k d"]:
        found: np.ndarray | None = None
        for part, begin, end in zip(parts, begins, ends, strict=True):
            mine = (positions >= begin) & (positions < end)
            some = part.vectors(positions[mine] - begin)
            if found is None:
                found = np.empty((len(positions), some.shape[1]), dtype=np.float32)
            found[mine] = some
        return np.empty((len(positions), 0), dtype=np.float32) if found is None else found

    return Chunks(vectors, _numbered([p.runs for p in parts]), _numbered([p.articles for p in parts]))


def _numbered(parts: Sequence[Int[np.ndarray, " _"]]) -> Int[np.ndarray, " n"]:
    """The numbers of all parts, those of each part above those of the parts before."""
    shifted, above = [np.empty(0, dtype=np.int64)], 0
    for part in parts:
        shifted.append(part + above)
        above += int(part.max(initial=-1)) + 1
    return np.concatenate(shifted)
