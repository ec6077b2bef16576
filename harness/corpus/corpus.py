"""A corpus: articles, each an ordered run of chunk embeddings, held once and memory-mapped.

Row ``r`` of a corpus is one chunk. Articles occupy consecutive rows, chunks in reading order. Windows are row
numbers (`harness.corpus.windows`); nothing here ever holds more vectors than the caller asked for, so a corpus of
584,545 x 768 opens in milliseconds.

On disk a corpus is a folder of ``vectors.npy`` (float16 or float32, memory-mapped), ``articles.npz`` (article
ids, starts, lengths, splits, chunk indices) and ``corpus.json`` (dimension, counts, fingerprint, provenance).
Text, and ids that are text, lie beside them (`harness.corpus.chunk_text`, `harness.corpus.article_names`).
The original NPZ files are read as they are by `harness.corpus.npz`.
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from lvm_gates.harness.base.atomic import atomic_write, write_json
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.article_names import NAMES, read_names, write_names
from lvm_gates.harness.corpus.chunk_text import TEXT, remove_chunk_text, write_chunk_text
from lvm_gates.harness.corpus.corpus_files import FORMAT_VERSION, read_corpus_files
from lvm_gates.harness.corpus.splits import SplitName

UNASSIGNED = ""

# Rows read at a time by every scan of a whole corpus: 16,384 x 768 float32 is 48 MiB.
SCAN_ROWS = 16_384

# Rows scaled at once: their float64 copies stay in a core's cache.
_SCALED_ROWS = 256

# Numbers of embeddings that are kept as they are asked for, 128 MB of float32: a session gathers each frame some two
# hundred times, and reading, widening and scaling it anew took a quarter of one without a network.
KEPT_NUMBERS = 2**25
_KEPT_ROWS = 1024


@dataclass(frozen=True)
class Corpus:
    """Chunk embeddings in reading order, grouped by article.

    Attributes:
        path: where it was read from; used in messages.
        stored: the vectors as stored, (N, D), float16 or float32, usually a memory map.
        article_ids: (A,) the id each article carries in its source.
        starts: (A,) first row of each article. Articles follow one another without gaps.
        lengths: (A,) number of chunks of each article.
        chunk_index: (N,) position of each chunk in its article as the source numbers it; a gap means that chunks
            were dropped there, and no window spans it.
        splits: (A,) "TRAIN", "VAL", "OOD" or "" for each article.
        order: (N,) stored row of each corpus row, or None where the store is already in reading order.
        meta: provenance as recorded in ``corpus.json``; ``meta["kind"]`` is "synthetic" for a synthetic dataset.
        names: (A,) the ids of articles whose source has text for ids, all different; ``article_ids`` are then numbers
            of ours. None where the ids are numbers.
    """

    path: Path
    stored: Shaped[np.ndarray, "n d"]
    article_ids: Int[np.ndarray, " a"]
    starts: Int[np.ndarray, " a"]
    lengths: Int[np.ndarray, " a"]
    chunk_index: Int[np.ndarray, " n"]
    splits: Shaped[np.ndarray, " a"]
    order: Int[np.ndarray, " n"] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        """Number of chunks."""
        return int(self.stored.shape[0])

    @property
    def dim(self) -> int:
        """Width of one embedding."""
        return int(self.stored.shape[1])

    @property
    def synthetic(self) -> bool:
        """Whether the corpus is one of the built-in synthetic datasets, where the optimum is known."""
        return self.meta.get("kind") == "synthetic"

    @cached_property
    def article_of(self) -> Int[np.ndarray, " n"]:
        """(N,) position (not id) of the article each row belongs to."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)

    @cached_property
    def run_start(self) -> Int[np.ndarray, " n"]:
        """(N,) first row of the contiguous run each row belongs to: one article, chunk indices rising by one."""
        breaks = np.ones(self.size, dtype=bool)
        breaks[1:] = self.chunk_index[1:] != self.chunk_index[:-1] + 1
        breaks[self.starts] = True
        first = np.flatnonzero(breaks)
        return np.repeat(first, np.diff(np.append(first, self.size)))

    @cached_property
    def run_end(self) -> Int[np.ndarray, " n"]:
        """(N,) one past the last row of the contiguous run each row belongs to."""
        first = np.unique(self.run_start)
        ends = np.append(first[1:], self.size)
        return np.repeat(ends, np.diff(np.append(first, self.size)))

    def raw(self, rows: Int[np.ndarray, "*rows"]) -> Float[np.ndarray, "*rows d"]:
        """The vectors of ``rows`` as stored, widened to float32."""
        source = rows if self.order is None else self.order[rows]
        # A float64 beyond float32 becomes infinity, which `check_vectors` names.
        with np.errstate(over="ignore"):
            return np.asarray(self.stored[source], dtype=np.float32)

    def vectors(self, rows: Int[np.ndarray, "*rows"]) -> Float[np.ndarray, "*rows d"]:
        """The embeddings of ``rows``, float32 and of unit norm.

        Norms are restored in float64: a float16 store leaves them off by up to 1e-4. A row without a direction
        (zero or non-finite) comes out NaN; `check_vectors` names it.
        """
        return self._scaled(rows) if self._kept is None else np.asarray(self._kept[rows])

    @cached_property
    def _kept(self) -> Float[np.ndarray, "n d"] | None:
        """What `vectors` gives of all rows, of a corpus that is small enough."""
        if self.size * self.dim > KEPT_NUMBERS:
            return None
        found = np.empty((self.size, self.dim), dtype=np.float32)
        for part in slices(self.size, _KEPT_ROWS):
            found[part] = self._scaled(np.arange(part.start, part.stop))
        return found

    def _scaled(self, rows: Int[np.ndarray, "*rows"]) -> Float[np.ndarray, "*rows d"]:
        found = self.raw(rows)
        flat = found.reshape(-1, self.dim)
        for part in slices(len(flat), _SCALED_ROWS):
            wide = flat[part].astype(np.float64)
            norm = np.sqrt(np.einsum("rd,rd->r", wide, wide))
            with np.errstate(divide="ignore", invalid="ignore"):
                flat[part] = wide / norm[:, None]
        return found

    def articles(self, split: SplitName) -> Int[np.ndarray, " m"]:
        """Positions of the articles of one split."""
        return np.flatnonzero(self.splits == split)

    def rows_of(self, articles: Int[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
        """All rows of the given articles, in reading order."""
        if len(articles) == 0:
            return np.empty(0, dtype=np.int64)
        return np.concatenate([np.arange(self.starts[a], self.starts[a] + self.lengths[a]) for a in articles])

    def describe_row(self, row: int) -> str:
        """Name one row the way its source numbers it, for messages."""
        return f"chunk {int(self.chunk_index[row])} of article {self.article_name(int(self.article_of[row]))}"

    def article_name(self, article: int) -> str:
        """The id of an article, by its position, as its source has it."""
        return str(int(self.article_ids[article])) if self.names is None else brief(self.names[article])

    @property
    def id_range(self) -> str:
        """Which ids there are, for messages."""
        if self.names is None:
            return f"ids run from {self.article_ids.min()} to {self.article_ids.max()}"
        return f"ids are such as {brief(', '.join(self.names[:3]))}"

    def with_splits(self, assignment: Mapping[SplitName, Iterable[int]]) -> "Corpus":
        """The same corpus with articles assigned to splits by id; articles not named stay unassigned.

        Raises:
            UserError: a split of which the corpus has no article, or an id named in two splits.
        """
        splits = np.full(len(self.article_ids), UNASSIGNED, dtype="<U5")
        position = {int(a): i for i, a in enumerate(self.article_ids)}
        for split, ids in assignment.items():
            wanted = list(ids)
            known = [i for i in wanted if i in position]
            if not known:
                raise UserError(
                    f"{self.path}: no article of the {split} split is in the corpus, whose {self.id_range}; name "
                    f"existing articles for {split}."
                )
            for article in known:
                if splits[position[article]] not in (UNASSIGNED, split):
                    raise UserError(
                        f"{self.path}: article {self.article_name(position[article])} is in both "
                        f"{splits[position[article]]} and {split}; "
                        "give each split articles of its own."
                    )
                splits[position[article]] = split
        return dataclasses.replace(self, splits=splits)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the content: as recorded in the folder, else computed once (see `content_fingerprint`)."""
        recorded = self.meta.get("fingerprint")
        return recorded if isinstance(recorded, str) else content_fingerprint(self)


def content_fingerprint(corpus: Corpus) -> str:
    """SHA-256 of the stored vectors and the article structure, whatever the folder's record says."""
    begins = range(0, corpus.size, SCAN_ROWS)
    blocks = (corpus.raw(np.arange(begin, min(begin + SCAN_ROWS, corpus.size))) for begin in begins)
    return fingerprint_blocks(corpus.article_ids, corpus.lengths, corpus.chunk_index, blocks)


def fingerprint_blocks(
    article_ids: Int[np.ndarray, " a"],
    lengths: Int[np.ndarray, " a"],
    chunk_index: Int[np.ndarray, " n"],
    blocks: Iterable[Float[np.ndarray, "_ d"]],
) -> str:
    """The same SHA-256 from vectors that come in blocks, as stored and widened to float32, in reading order."""
    digest = hashlib.sha256()
    for array in (article_ids, lengths, chunk_index):
        digest.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    for block in blocks:
        digest.update(block.tobytes())
    return digest.hexdigest()


def check_vectors(corpus: Corpus, rows: Int[np.ndarray, " k"]) -> None:
    """Scan ``rows`` and refuse vectors that have no direction.

    Raises:
        UserError: the first NaN, infinite or zero vector, named by article and chunk.
    """
    for begin in range(0, len(rows), SCAN_ROWS):
        part = rows[begin : begin + SCAN_ROWS]
        raw = corpus.raw(part)
        finite = np.asarray(np.isfinite(raw).all(axis=1))
        zero = np.asarray(~raw.any(axis=1))
        if finite.all() and not zero.any():
            continue
        at = int(np.argmax(~finite | zero))
        fault = "is a zero vector" if zero[at] else "holds NaN or infinity"
        raise UserError(
            f"{corpus.path}: {corpus.describe_row(int(part[at]))} {fault}; embed that chunk again or drop it."
        )


def write_corpus(
    folder: Path,
    vectors: Float[np.ndarray, "n d"],
    lengths: Int[np.ndarray, " a"],
    *,
    splits: Shaped[np.ndarray, " a"],
    article_ids: Int[np.ndarray, " a"] | None = None,
    chunk_index: Int[np.ndarray, " n"] | None = None,
    meta: Mapping[str, Any],
    dtype: Literal["float16", "float32"] = "float32",
    texts: Iterable[str] | None = None,
    names: Sequence[str] | None = None,
) -> Corpus:
    """Write a corpus folder, ``corpus.json`` last, so that a half-written folder is never opened.

    Args:
        folder: created if absent.
        vectors: embeddings in reading order, articles one after another.
        lengths: chunks of each article; they add to N.
        splits: "TRAIN", "VAL", "OOD" or "" for each article.
        article_ids: default 0..A-1.
        chunk_index: default 0..length-1 in each article.
        meta: provenance to record (``kind``, ``encoder``, ``licence``, ``how`` and so on).
        dtype: storage type.
        texts: of the chunks, row by row, where they are known (`harness.corpus.chunk_text`).
        names: the ids of articles whose source has text for ids, all different.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    if chunk_index is None:
        chunk_index = np.arange(len(vectors)) - np.repeat(starts, lengths)
    if article_ids is None:
        article_ids = np.arange(len(lengths))
    corpus = Corpus(
        path=folder,
        stored=vectors.astype(dtype, copy=False),  # a memory map of that type stays on disk
        article_ids=np.asarray(article_ids, dtype=np.int64),
        starts=starts,
        lengths=np.asarray(lengths, dtype=np.int64),
        chunk_index=np.asarray(chunk_index, dtype=np.int64),
        splits=splits.astype("<U5"),
    )
    # Killed half way over an older corpus, the folder must not open as that one.
    (folder / "corpus.json").unlink(missing_ok=True)
    with atomic_write(folder / "vectors.npy") as stream:
        np.save(stream, corpus.stored, allow_pickle=False)
    with atomic_write(folder / "articles.npz") as stream:
        np.savez(
            stream,
            article_ids=corpus.article_ids,
            lengths=corpus.lengths,
            chunk_index=corpus.chunk_index,
            splits=corpus.splits,
        )
    record = {
        "format_version": FORMAT_VERSION,
        "chunks": corpus.size,
        "articles": len(lengths),
        "dim": corpus.dim,
        "dtype": dtype,
        "fingerprint": corpus.fingerprint,
        **meta,
    }
    if texts is None:
        remove_chunk_text(folder)
    else:
        record[TEXT] = write_chunk_text(folder, texts)
    if names is not None:
        record[NAMES] = write_names(folder, names)
    write_json(folder / "corpus.json", record)
    return open_corpus(folder)


def open_corpus(folder: Path) -> Corpus:
    """Open a corpus folder; vectors stay on disk.

    Raises:
        UserError: a missing, truncated or inconsistent folder.
    """
    meta, stored, ids, lengths, chunk_index, splits = read_corpus_files(folder)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    names = read_names(folder, meta, len(ids))
    return Corpus(folder, stored, ids, starts, lengths, chunk_index, splits, None, meta, names)
