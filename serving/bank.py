"""The chunks of a corpus as a FAISS index: which real chunks are nearest to a prediction."""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.corpus import SCAN_ROWS, Corpus
from lvm_gates.serving.settings import BankKind

# Recall is measured on chunks of the corpus itself: so many, each asked for so many neighbours.
RECALL_QUERIES, RECALL_NEIGHBOURS = 256, 10
# Lists of an inverted file by chunks, as faiss advises (4 to 16 times the root), and the share that a search reads.
_LISTS_PER_ROOT, _PROBED = 4, 0.1
# Links of a graph's node and the width of its search: recall .99 on sentence embeddings.
_LINKS, _WIDTH = 32, 128
_SEED = 0


@dataclass(frozen=True)
class Bank:
    """An index over all chunks of a corpus, as unit vectors.

    Attributes:
        corpus: whose rows are numbered.
        index: of faiss, by inner product.
        kind: of the index.
        recall: share of the nearest `RECALL_NEIGHBOURS` that it finds, measured when it was built; 1 of a flat one.
    """

    corpus: Corpus
    index: Any
    kind: BankKind
    recall: float

    @classmethod
    def build(cls, corpus: Corpus, kind: BankKind = "flat") -> "Bank":
        """Index a corpus.

        Raises:
            UserError: a corpus that is too small for an inverted file.
        """
        index = _empty(corpus, kind)
        if not index.is_trained:
            rng = np.random.default_rng(_SEED)
            some = rng.choice(corpus.size, min(corpus.size, 64 * index.nlist), replace=False)
            index.train(corpus.vectors(np.sort(some)))
        for part in slices(corpus.size, SCAN_ROWS):
            index.add(corpus.vectors(np.arange(part.start, part.stop)))
        recall = 1.0 if kind == "flat" else _recall(index, corpus)
        return cls(corpus, index, kind, recall)

    def nearest(
        self, vectors: Float[np.ndarray, "n d"], count: int
    ) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
        """Rows and cosines of the nearest chunks, the nearest first; at most ``count`` and all there are.

        Args:
            vectors: unit vectors.
            count: how many.
        """
        _, rows = self.index.search(np.ascontiguousarray(vectors, dtype=np.float32), min(count, self.corpus.size))
        # An approximate index that finds too few says so by row -1; the exact cosine replaces its own rounding.
        rows = np.asarray(rows, dtype=np.int64)
        exact = np.einsum("nkd,nd->nk", unit(self.corpus.vectors(np.maximum(rows, 0))), vectors.astype(np.float64))
        return rows, np.where(rows >= 0, exact, -np.inf)


def _empty(corpus: Corpus, kind: BankKind) -> Any:
    if kind == "flat":
        return faiss.IndexFlatIP(corpus.dim)
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(corpus.dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efSearch = _WIDTH
        return graph
    lists = int(_LISTS_PER_ROOT * corpus.size**0.5)
    if corpus.size < 39 * lists:
        raise UserError(
            f"{corpus.path}: {corpus.size:,} chunks are too few for --bank ivf; use --bank flat, which is exact."
        )
    inverted = faiss.IndexIVFFlat(faiss.IndexFlatIP(corpus.dim), corpus.dim, lists, faiss.METRIC_INNER_PRODUCT)
    inverted.nprobe = max(1, int(_PROBED * lists))
    return inverted


def _recall(index: Any, corpus: Corpus) -> float:
    rng = np.random.default_rng(_SEED)
    queries = corpus.vectors(np.sort(rng.choice(corpus.size, min(RECALL_QUERIES, corpus.size), replace=False)))
    count = min(RECALL_NEIGHBOURS, corpus.size)
    best = np.full((len(queries), 0), -np.inf, dtype=np.float32)
    rows = np.empty((len(queries), 0), dtype=np.int64)
    for part in slices(corpus.size, SCAN_ROWS):
        cosine = queries @ corpus.vectors(np.arange(part.start, part.stop)).T
        best = np.concatenate([best, cosine], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(np.arange(part.start, part.stop), cosine.shape)], axis=1)
        keep = np.argpartition(-best, min(count, best.shape[1]) - 1, axis=1)[:, :count]
        best, rows = np.take_along_axis(best, keep, axis=1), np.take_along_axis(rows, keep, axis=1)
    _, found = index.search(queries, count)
    return float(np.mean([len(np.intersect1d(a, b)) / count for a, b in zip(rows, found, strict=True)]))
