"""Which chunks are the same chunk: equal embeddings, up to the last digits of float32.

The same sentence embedded in two batches differs by 1e-7 a coordinate. Such a copy of the target is the same answer,
not a rival. Comparing bytes would miss it, and so would rounding before comparing: among hundreds of coordinates one
nearly always straddles an edge.
"""

import hashlib

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus

# Distance between unit vectors. Float32 arithmetic in another order moves one by 6e-7 (four networks, batches of 64
# against 1); the last bit of the largest coordinate of a float16 embedding of 384 dimensions moves it by 1e-4.
SAME = 1e-5
_DIRECTIONS = 4


def same_chunk_labels(corpus: Corpus, rows: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """A number for each row, shared exactly by those within `SAME` of each other (or linked by such pairs)."""
    copies, first = _equal_bytes(corpus, rows)
    return np.asarray(_nearly_equal(corpus, rows[first])[copies])


def _equal_bytes(corpus: Corpus, rows: Int[np.ndarray, " k"]) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " u"]]:
    """Labels by stored bytes, and one position for each; a thousand copies of one line then cost nothing."""
    seen: dict[bytes, int] = {}
    labels = np.empty(len(rows), dtype=np.int64)
    for part in slices(len(rows), SCAN_ROWS):
        for i, vector in enumerate(corpus.raw(rows[part]), start=part.start):
            digest = hashlib.blake2b(vector.tobytes(), digest_size=16).digest()
            labels[i] = seen.setdefault(digest, len(seen))
    return labels, np.unique(labels, return_index=True)[1]


def _nearly_equal(corpus: Corpus, rows: Int[np.ndarray, " u"]) -> Int[np.ndarray, " u"]:
    """Labels by distance.

    Vectors that are close have projections that are close on any direction: candidates are neighbours on one random
    direction that agree on a few more, and only those are compared in full.
    """
    shadow = _shadow(corpus, rows)
    order = np.argsort(shadow[:, 0], kind="stable")
    shadow = shadow[order]
    edges = [np.empty((2, 0), dtype=np.int64)]
    for step in range(1, len(rows)):
        gap = np.abs(shadow[step:] - shadow[:-step])
        if not (gap[:, 0] <= SAME).any():
            break
        near = np.flatnonzero((gap <= SAME).all(axis=1))
        one, other = order[near], order[near + step]
        apart = np.linalg.norm(corpus.vectors(rows[one]) - corpus.vectors(rows[other]), axis=1)
        edges.append(np.stack([one, other])[:, apart <= SAME])
    joined = np.concatenate(edges, axis=1)
    if joined.shape[1] == 0:
        return np.arange(len(rows))
    # Loaded where there is something to join: a tenth of a second that most corpora spare every session.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(joined.shape[1]), (joined[0], joined[1])), shape=(len(rows), len(rows)))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _shadow(corpus: Corpus, rows: Int[np.ndarray, " u"]) -> Float[np.ndarray, "u directions"]:
    directions = np.random.default_rng(0).standard_normal((corpus.dim, _DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    parts = [corpus.vectors(rows[part]).astype(np.float64) @ directions for part in slices(len(rows), SCAN_ROWS)]
    return np.concatenate(parts)
