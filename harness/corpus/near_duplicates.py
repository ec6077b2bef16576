"""Targets that nearly equal a chunk of the training split.

A model that has seen the chunk can recite it: in one corpus of technical documents 6 % of such targets turned
boilerplate into +.009 MRR of "skill" (docs/specification.md, "Near-duplicate targets"). They are counted and left out
of skill metrics.
"""

from collections.abc import Sequence

import faiss
import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.harness.corpus.windows import Windows

NEAR = 0.9


def near_duplicates(windows: Windows, training: Sequence[Windows]) -> Bool[np.ndarray, " n"]:
    """Whether each target has a cosine above `NEAR` to some chunk of the training articles."""
    targets = windows.target_vectors()
    best = np.full(len(windows), -1.0, dtype=np.float32)
    for part in training:
        rows = part.corpus.rows_of(np.unique(part.clusters))
        best = np.maximum(best, nearest(targets, part.corpus, rows)[0])
    return np.asarray(best > NEAR)


def nearest(
    vectors: Float[np.ndarray, "n d"], corpus: Corpus, rows: Int[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The largest cosine of each unit vector to a chunk among ``rows``, and the row of that chunk.

    The chunks stream through in blocks, so the cost in memory is one block. Without rows: -1, and row -1.
    """
    best = np.full(len(vectors), -1.0, dtype=np.float32)
    where = np.full(len(vectors), -1, dtype=np.int64)
    for block in slices(len(rows), SCAN_ROWS):
        similarity, index = faiss.knn(vectors, corpus.vectors(rows[block]), 1, metric=faiss.METRIC_INNER_PRODUCT)
        closer = similarity[:, 0] > best
        best[closer] = similarity[closer, 0]
        where[closer] = rows[block][index[closer, 0]]
    return best, where
