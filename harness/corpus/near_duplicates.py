"""Targets that nearly equal a chunk of the training split.

A model that has seen the chunk can recite it: in one corpus of technical documents 6 % of such targets turned
boilerplate into +.009 MRR of "skill" (docs/specification.md, "Near-duplicate targets"). They are counted and left out
of skill metrics.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.cache import cached_arrays, code_digest
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.harness.corpus.windows import Windows

NEAR = 0.9
# A tile of similarities: 2 MB, which stay in a core's cache between the product and its maxima.
_VECTORS, _COLUMNS = 256, 2048


def near_duplicates(windows: Windows, training: Sequence[Windows]) -> Bool[np.ndarray, " n"]:
    """Whether each target has a cosine above `NEAR` to some chunk of the training articles."""
    targets = windows.target_vectors()
    best = np.full(len(windows), -1.0, dtype=np.float32)
    for part in training:
        rows = part.corpus.rows_of(np.unique(part.clusters))
        best = np.maximum(best, nearest(targets, part.corpus, rows)[0])
    return np.asarray(best > NEAR)


def cached_near_duplicates(windows: Windows, training: Sequence[Windows]) -> Bool[np.ndarray, " n"]:
    """`near_duplicates`, kept under the content of the corpora and of the code: candidates are gated on one corpus."""
    if not training:
        return near_duplicates(windows, training)
    digest = hashlib.sha256(code_digest(__name__, "lvm_gates.harness.corpus.corpus").encode())
    digest.update(f"|{windows.corpus.fingerprint}|".encode() + windows.targets.astype(np.int64).tobytes())
    for part in training:
        digest.update(f"|TRAIN|{part.corpus.fingerprint}|".encode() + np.unique(part.clusters).tobytes())
    key = digest.hexdigest()[:32]
    made = cached_arrays("near-duplicates", key, ["near"], lambda: {"near": near_duplicates(windows, training)})
    return np.asarray(made["near"])


def nearest(
    vectors: Float[np.ndarray, "n d"], corpus: Corpus, rows: Int[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """The largest cosine of each unit vector to a chunk among ``rows``, and the row of that chunk.

    The chunks stream through in blocks, so the cost in memory is one block. Without rows: -1, and row -1.
    """
    best = np.full(len(vectors), -1.0, dtype=np.float32)
    where = np.full(len(vectors), -1, dtype=np.int64)
    for block in slices(len(rows), SCAN_ROWS):
        chunks = corpus.vectors(rows[block])
        # Tile by tile: two products at full speed where `faiss.knn` takes the time of eight (768 dimensions, one core).
        for columns in slices(len(chunks), _COLUMNS):
            for some in slices(len(vectors), _VECTORS):
                similarity = vectors[some] @ chunks[columns].T
                place = similarity.argmax(axis=1)
                value = similarity[np.arange(len(place)), place]
                closer = value > best[some]
                best[some][closer] = value[closer]
                where[some][closer] = rows[block.start + columns.start + place[closer]]
    return best, where
