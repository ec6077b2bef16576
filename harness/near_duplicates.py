"""Targets that nearly equal a chunk of the training split.

A model that has seen the chunk can recite it: in one corpus of technical documents 6 % of such targets turned
boilerplate into +.009 MRR of "skill" (SPEC section 4). They are counted and left out of skill figures.
"""

from collections.abc import Sequence

import faiss
import numpy as np
from jaxtyping import Bool

from harness.corpus import SCAN_ROWS
from harness.predictor import slices
from harness.windows import Windows

NEAR = 0.9


def near_duplicates(windows: Windows, training: Sequence[Windows]) -> Bool[np.ndarray, " n"]:
    """Whether each target has a cosine above `NEAR` to some chunk of the training articles.

    The training chunks stream through in blocks, so the cost in memory is one block.
    """
    targets = windows.target_vectors()
    nearest = np.full(len(targets), -1.0, dtype=np.float32)
    for part in training:
        rows = part.corpus.rows_of(np.unique(part.clusters))
        for block in slices(len(rows), SCAN_ROWS):
            similarity, _ = faiss.knn(targets, part.corpus.vectors(rows[block]), 1, metric=faiss.METRIC_INNER_PRODUCT)
            nearest = np.maximum(nearest, similarity[:, 0])
    return np.asarray(nearest > NEAR)
