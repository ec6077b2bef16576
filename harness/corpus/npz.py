"""Read the original NPZ formats as they are, without pickle and without loading them into memory (`NpzFile`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.grouping import group_rows
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.files.npz_file import NpzFile, whole_numbers

ARTICLE_VECTORS = ("embeddings", "vectors", "X")
ARTICLE_IDS = ("article_indices", "article_ids")
CHUNK_INDICES = ("chunk_indices", "seq_idx")
SEQUENCE_CONTEXTS = ("contexts", "context", "X", "context_sequences")
SEQUENCE_TARGETS = ("targets", "target", "y", "target_vectors")

# A float16 copy of a unit vector of 384-1024 dimensions keeps a cosine above .9999 to its float32 original;
# two different chunks of real text that are this close are duplicates.
SAME_VECTOR_COSINE = 0.999


def read_articles(path: Path) -> Corpus:
    """Open an article NPZ in the original format as a corpus without splits.

    Rows are put in reading order by article id and chunk index. Without chunk indices the file's own order is
    taken, and ``meta["chunk_indices"]`` is "absent": contiguity is then not checkable.

    Raises:
        UserError: missing keys, wrong shapes, pickled members, duplicate chunk indices.
    """
    file = NpzFile.open(path)
    vectors = file.require(ARTICLE_VECTORS, "article embeddings")
    ids = _integers(file, ARTICLE_IDS, "article ids")
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or len(vectors) == 0:
        raise UserError(
            f"{path}: article embeddings are {vectors.dtype} of shape {vectors.shape}; they must be floats of shape "
            "(chunks, dim)."
        )
    has_index = file.find(CHUNK_INDICES) is not None
    chunks = _integers(file, CHUNK_INDICES, "chunk indices") if has_index else None
    numbered = len(vectors) if chunks is None else len(chunks)
    if not len(vectors) == len(ids) == numbered:
        raise UserError(
            f"{path}: {len(vectors)} embeddings, {len(ids)} article ids and {numbered} chunk indices; "
            "the three must be equally long."
        )
    meta = {"kind": "npz", "chunk_indices": "present" if has_index else "absent"}
    return group_rows(path, ids, chunks).corpus(path, vectors, meta)


class SequenceWindows(NamedTuple):
    """Windows of an original sequence NPZ, found again in the article store."""

    windows: Windows
    """Those whose context and target are consecutive chunks of one article of the store."""
    mismatched: int
    """The others: they cross articles, skip a chunk, or come from other embeddings."""


@dataclass(frozen=True)
class SequenceFile:
    """An original sequence NPZ, mapped.

    Attributes:
        path: where it is.
        contexts: (n, C, D), oldest frame first.
        targets: (n, D).
        article_ids: (n,) the article of each target, None where the file does not say.
        positions: (n,) chunk index of each target in its article, None where the file does not say.
    """

    path: Path
    contexts: Float[np.ndarray, "n c d"]
    targets: Float[np.ndarray, "n d"]
    article_ids: Int[np.ndarray, " n"] | None
    positions: Int[np.ndarray, " n"] | None

    @classmethod
    def open(cls, path: Path, dim: int | None = None, other: Path | None = None) -> "SequenceFile":
        """Map the file and check shapes; ``dim`` is the width that ``other``, the article store, has.

        Raises:
            UserError: missing keys, wrong shapes, pickled members.
        """
        file = NpzFile.open(path)
        contexts = file.require(SEQUENCE_CONTEXTS, "contexts")
        targets = file.require(SEQUENCE_TARGETS, "targets")
        if contexts.ndim != 3 or targets.ndim != 2 or len(contexts) != len(targets):
            raise UserError(
                f"{path}: contexts of shape {contexts.shape} and targets of shape {targets.shape}; they must be "
                "(windows, context, dim) and (windows, dim)."
            )
        if contexts.dtype.kind != "f" or targets.dtype.kind != "f":
            raise UserError(f"{path}: contexts are {contexts.dtype} and targets {targets.dtype}; they must be floats.")
        if dim is not None and (contexts.shape[2] != dim or targets.shape[1] != dim):
            raise UserError(
                f"{path}: embeddings of {contexts.shape[2]} dimensions, but {other} has {dim}; "
                "use sequences and articles made with one encoder."
            )
        if contexts.shape[2] != targets.shape[1]:
            raise UserError(
                f"{path}: contexts of {contexts.shape[2]} dimensions and targets of {targets.shape[1]}; make the file "
                "again with one encoder."
            )
        if file.find(("article_ids",)) is None or file.find(("target_indices",)) is None:
            return cls(path, contexts, targets, None, None)
        ids = _integers(file, ("article_ids",), "article ids")
        positions = _integers(file, ("target_indices",), "target indices")
        if not len(contexts) == len(ids) == len(positions):
            raise UserError(
                f"{path}: {len(contexts)} windows, {len(ids)} article ids and {len(positions)} target indices; "
                "the three must be equally long."
            )
        return cls(path, contexts, targets, ids, positions)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def context(self) -> int:
        """C."""
        return int(self.contexts.shape[1])

    def frames(self, index: Int[np.ndarray, " m"] | slice) -> Float[np.ndarray, "m frames d"]:
        """Context and target of some windows, float32 as stored."""
        # A float64 beyond float32 becomes infinity, which no chunk of a store is near.
        with np.errstate(over="ignore"):
            return np.concatenate([self.contexts[index], self.targets[index][:, None]], axis=1).astype(np.float32)


def is_sequence_file(path: Path) -> bool:
    """Whether an NPZ holds windows rather than articles ("X" alone may be either)."""
    return NpzFile.open(path).find(SEQUENCE_TARGETS) is not None


def read_sequences(path: Path, corpus: Corpus) -> SequenceWindows:
    """Locate the windows of an original sequence NPZ in ``corpus``.

    Raises:
        UserError: missing keys, wrong shapes, no index fields, or not one window that matches the store.
    """
    file = SequenceFile.open(path, corpus.dim, corpus.path)
    if file.article_ids is None or file.positions is None:
        raise UserError(
            f"{path}: article_ids and target_indices are missing, so the windows cannot be found in "
            f"{corpus.path}; use --articles-npz with --val-articles and --ood-articles, which needs no sequence file."
        )
    rows, matches = matching_rows(file, corpus)
    kept = np.flatnonzero(matches)
    if len(kept) == 0:
        raise UserError(
            f"{path}: not one of its {len(rows)} windows is a run of consecutive chunks of {corpus.path}; "
            "its targets may skip a chunk or the two files may not belong together."
        )
    found = np.unique(rows[kept])
    return SequenceWindows(Windows(corpus, found, file.context), len(rows) - len(kept))


def matching_rows(file: SequenceFile, corpus: Corpus) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The corpus row where each window says its target is, and whether the window is the run that ends there.

    A file without index fields says nothing, so none of its windows match.
    """
    if file.article_ids is None or file.positions is None:
        return np.zeros(len(file), dtype=np.int64), np.zeros(len(file), dtype=bool)
    rows, known = _locate(corpus, file.article_ids, file.positions)
    known &= rows - corpus.run_start[rows] >= file.context
    matches = np.zeros(len(file), dtype=bool)
    for index in np.array_split(np.flatnonzero(known), max(1, len(rows) // 4096)):
        matches[index] = is_run(file.frames(index), corpus, rows[index])
    return rows, matches


def _integers(file: NpzFile, names: Sequence[str], what: str) -> Int[np.ndarray, " n"]:
    values = np.asarray(file.require(names, what))
    found = whole_numbers(values)
    if found is None or found.ndim != 1:
        raise UserError(
            f"{file.path}: {what} are {values.dtype} of shape {values.shape}; they must be a list of integers below "
            "2**63."
        )
    return found


def _locate(
    corpus: Corpus, ids: Int[np.ndarray, " n"], positions: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], Shaped[np.ndarray, " n"]]:
    keys = {
        (int(a), int(c)): row
        for row, (a, c) in enumerate(zip(corpus.article_ids[corpus.article_of], corpus.chunk_index, strict=True))
    }
    rows = np.array([keys.get((int(a), int(p)), -1) for a, p in zip(ids, positions, strict=True)], dtype=np.int64)
    return np.maximum(rows, 0), rows >= 0


def is_run(
    frames: Float[np.ndarray, "n frames d"], corpus: Corpus, rows: Int[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Whether the frames of each window are the corpus rows that end at ``rows``, by content."""
    windows = Windows(corpus, rows, frames.shape[1] - 1)
    stored = np.concatenate([windows.contexts(), windows.target_vectors()[:, None]], axis=1)
    wide = frames.astype(np.float64)  # 1e30 squared is beyond float32
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = (wide * stored).sum(axis=2) / np.linalg.norm(wide, axis=2)
    return np.asarray((cosine > SAME_VECTOR_COSINE).all(axis=1))
