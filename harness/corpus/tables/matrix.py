"""A bare matrix, in .npy or a flat FAISS index, with the article of each row in a file beside it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.tables.columns import ColumnNames
from lvm_gates.harness.corpus.tables.faiss_file import read_flat_index
from lvm_gates.harness.corpus.tables.gather import row_name
from lvm_gates.harness.corpus.tables.side_files import FoundFiles, SideFiles, Values
from lvm_gates.harness.corpus.tables.table import BLOCK_ROWS, Block, Table
from lvm_gates.harness.files.npz_file import map_npy


def matrix_table(path: Path, asked: SideFiles, names: ColumnNames) -> Table:
    """The table that a matrix and its side files are; ``names`` are of fields in side files of JSON lines.

    Raises:
        UserError: a file that cannot be read, or one that has not one entry a row.
    """
    if path.suffix.lower() == ".npy":
        vectors, row_ids, what = _matrix(path), None, "NPY"
    else:
        vectors, row_ids = read_flat_index(path)
        what = "FAISS index"
    sides = asked.found(path, names)
    columns = sides.names
    if sides.articles is None and row_ids is not None and len(np.unique(row_ids)) < len(row_ids):
        columns["articles"] = "its ids"
        return Table(path, what, columns, lambda: _blocks(vectors, row_ids, sides, None))
    if sides.articles is None:
        raise UserError(f"{path}: {_without_articles(path, row_ids)}.")
    articles = sides.articles.entries()
    return Table(path, what, columns, lambda: _blocks(vectors, articles, sides, row_ids))


def _blocks(
    vectors: Float[np.ndarray, "n d"], articles: Values, sides: FoundFiles, row_ids: Int[np.ndarray, " n"] | None
) -> Iterator[Block]:
    """Rows in the order of the matrix, or in that of ``row_ids``, which say which entry of a side file a row has."""
    chunks = None if sides.chunks is None else sides.chunks.entries()
    texts = None if sides.texts is None else sides.texts.entries()
    if isinstance(chunks, list):
        where = sides.chunks.path if sides.chunks is not None else ""
        raise UserError(f"{where}: holds text; chunk numbers must be whole numbers, as .npy.")
    order = entry = np.arange(len(vectors))
    if row_ids is not None:
        order = np.argsort(row_ids, kind="stable")
        entry = row_ids[order]
    for file, values in ((sides.articles, articles), (sides.chunks, chunks), (sides.texts, texts)):
        if file is not None and values is not None:
            _check_length(file.path, values, vectors, row_ids)
    for part in slices(len(order), BLOCK_ROWS):
        rows, entries = order[part], entry[part]
        yield Block(
            vectors=np.asarray(vectors[rows]),
            articles=[articles[i] for i in entries] if isinstance(articles, list) else articles[entries],
            chunks=None if chunks is None else chunks[entries],
            texts=None if texts is None else [str(texts[i]) for i in entries],
            where=_row_of(rows),
        )


def _row_of(rows: Int[np.ndarray, " b"]) -> Callable[[int], str]:
    return lambda row: row_name(int(rows[row]))


def _check_length(
    file: Path, values: Values, vectors: Float[np.ndarray, "n d"], row_ids: Int[np.ndarray, " n"] | None
) -> None:
    if row_ids is None:
        if len(values) != len(vectors):
            raise UserError(
                f"{file}: has {len(values):,} entries for {len(vectors):,} vectors; give one for each row, in the same "
                "order."
            )
    elif len(np.unique(row_ids)) < len(row_ids) or row_ids.min() < 0 or row_ids.max() >= len(values):
        raise UserError(
            f"{file}: has {len(values):,} entries, and the ids of the index run from {row_ids.min()} to "
            f"{row_ids.max()}; give a file in which entry i belongs to id i."
        )


def _matrix(path: Path) -> Float[np.ndarray, "n d"]:
    try:
        found = map_npy(path)
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(f"{path}: cannot be read ({brief(error)}); it may be truncated, copy it again.") from error
    if found.ndim != 2 or found.dtype.kind != "f" or 0 in found.shape:
        raise UserError(
            f"{path}: holds {found.dtype} of shape {found.shape}; it must hold floats of shape (chunks, dim)."
        )
    return found


def _without_articles(path: Path, row_ids: Int[np.ndarray, " n"] | None) -> str:
    stem = path.with_suffix("").name
    why = (
        "bare vectors do not say which article each belongs to"
        if row_ids is None
        else "its ids are all different, so they number chunks and not articles"
    )
    return (
        f"{why}; save the article of each beside it as {stem}_article_ids.npy (or .txt or .jsonl, one a line) and the "
        f"chunks' numbers as {stem}_chunk_indices.npy, or name files: "
        f"`lvm-data import {path.name} --out DIR --article-ids FILE`"
    )
