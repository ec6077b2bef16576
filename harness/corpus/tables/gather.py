"""A table of vectors as a corpus: rows pass through a block at a time, into files without a name beside the output.

What stays in memory are numbers: the article of each chunk, its place in that, and where its text begins.
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.corpus.chunk_text import ChunkText
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.grouping import group_rows
from lvm_gates.harness.corpus.tables.table import Block, Table

# Ids that are numbers written as text, so that ranges name them; "007" is another id than "7".
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


class Gathered(NamedTuple):
    """A table, read.

    Attributes:
        corpus: without splits; its vectors are gone with it.
        texts: by row of the table, not of the corpus (`Corpus.order` leads there); None where the table has none.
    """

    corpus: Corpus
    texts: ChunkText | None


def gather(table: Table, beside: Path) -> Gathered:
    """Read every row, check it, and put the rows into articles.

    Args:
        table: what is read.
        beside: a path on the disk where vectors and texts may be kept meanwhile.

    Raises:
        UserError: a vector without a direction or of another width, a chunk that stands twice, no rows at all.
        OSError: there is no room.
    """
    parent = beside.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=parent) as vectors, tempfile.TemporaryFile(dir=parent) as blob:
        rows = _Rows(table.path, vectors, blob)
        for block in table.blocks():
            rows.add(block)
        return rows.gathered(table)


class _Rows:
    """What has been read."""

    def __init__(self, path: Path, vectors: IO[bytes], blob: IO[bytes]) -> None:
        self._path, self._vectors, self._blob = path, vectors, blob
        self._dim: int | None = None
        self._named: bool | None = None
        self._ids: list[Int[np.ndarray, " b"]] = []
        self._chunks: list[Int[np.ndarray, " b"]] = []
        self._sizes: list[Int[np.ndarray, " b"]] = []
        self._names: dict[str, int] = {}

    def add(self, block: Block) -> None:
        if len(block.vectors) == 0:
            return
        self._check(block)
        self._vectors.write(np.ascontiguousarray(block.vectors, dtype=np.float32).tobytes())
        self._ids.append(self._numbers(block))
        if block.chunks is not None:
            self._chunks.append(block.chunks)
        if block.texts is not None:
            encoded = [text.encode("utf-8", "replace") for text in block.texts]
            self._sizes.append(np.array([len(one) for one in encoded], dtype=np.int64))
            self._blob.write(b"".join(encoded))

    def _check(self, block: Block) -> None:
        width = block.vectors.shape[1]
        if self._dim is None:
            self._dim = width
        if width != self._dim or width == 0:
            raise UserError(
                f"{self._path}: {block.where(0)} holds a vector of {width} dimensions where the first has {self._dim}; "
                "use one encoder for all."
            )
        with np.errstate(over="ignore"):  # a float64 beyond float32 has no direction either
            stored = block.vectors.astype(np.float32, copy=False)
        lost = ~np.isfinite(stored).all(axis=1) | ~stored.any(axis=1)
        if lost.any():
            at = int(np.argmax(lost))
            fault = "is a zero vector" if not stored[at].any() else "holds NaN or infinity"
            raise UserError(f"{self._path}: {block.where(at)} {fault}; embed that chunk again or drop the row.")

    def _numbers(self, block: Block) -> Int[np.ndarray, " b"]:
        named = isinstance(block.articles, list)
        if self._named is None:
            self._named = named
        if named != self._named:
            kinds = ("a number", "text") if named else ("text", "a number")
            raise UserError(
                f"{self._path}: {block.where(0)} has {kinds[1]} for its article where those before have {kinds[0]}; "
                "write all ids alike."
            )
        if not isinstance(block.articles, list):
            return block.articles
        return np.array([self._names.setdefault(name, len(self._names)) for name in block.articles], dtype=np.int64)

    def gathered(self, table: Table) -> Gathered:
        if self._dim is None:
            raise UserError(f"{self._path}: holds no vectors; make the file again.")
        names = list(self._names) if self._named else None
        ids = np.concatenate(self._ids)
        if names is not None and all(map(_NUMBER.fullmatch, names)):
            ids, names = np.array([int(name) for name in names], dtype=np.int64)[ids], None
        found = group_rows(self._path, ids, np.concatenate(self._chunks) if self._chunks else None, names)
        if len(found.lengths) == len(ids) > 1:
            raise UserError(
                f"{self._path}: each of its {len(ids):,} rows has an article of its own ({table.columns['articles']}), "
                "and a model reads several chunks of one; say which article each belongs to with --article-column, or "
                "with --article-ids beside a matrix."
                if "articles" in table.columns
                else f"{self._path}: each article has one chunk, and a model reads several; give longer articles."
            )
        corpus = found.corpus(
            self._path,
            _mapped(self._vectors, "float32").reshape(-1, self._dim),
            {"kind": table.what, "chunk_indices": "present" if self._chunks else "absent"},
            None if names is None else tuple(names),
        )
        return Gathered(corpus, self._texts() if self._sizes else None)

    def _texts(self) -> ChunkText:
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(self._sizes))]).astype(np.int64)
        return ChunkText(self._path, offsets, _mapped(self._blob, "uint8"))


def texts_in_order(gathered: Gathered) -> Iterable[str]:
    """The texts by row of the corpus, none where the table had none."""
    corpus, texts = gathered
    for row in range(corpus.size):
        yield "" if texts is None else texts[row if corpus.order is None else corpus.order[row]]


def _mapped(stream: IO[bytes], dtype: str) -> Shaped[np.ndarray, " n"]:
    """What was written, mapped; numpy keeps a duplicate of the handle."""
    stream.flush()
    if stream.tell() == 0:
        return np.empty(0, dtype=dtype)
    return np.memmap(stream, dtype=dtype, mode="r")


def row_name(number: int, column: str | None = None) -> str:
    """How messages name a row of a table, counted from 0 as pandas and pyarrow do."""
    return f"row {number}" + (f", column {brief(repr(column))}" if column is not None else "")
