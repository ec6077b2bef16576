"""A bare matrix, in .npy or a flat FAISS index, with the article of each row in a file beside it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.tables.faiss_file import read_flat_index
from lvm_gates.harness.corpus.tables.gather import row_name
from lvm_gates.harness.corpus.tables.table import BLOCK_ROWS, Block, Table
from lvm_gates.harness.files.npz_file import map_npy, whole_numbers

# emb.npy is found beside emb_article_ids.npy or emb.articles.txt.
_ARTICLES = ("article_ids", "article_indices", "articles", "ids")
_CHUNKS = ("chunk_indices", "chunk_index", "chunk_numbers", "chunks")
_TEXTS = ("texts", "text", "sentences")
_SEPARATORS, _SUFFIXES = ("_", ".", "-"), (".npy", ".txt")
# A line of text or an id; a binary file has no line ends.
_LONGEST_LINE = 1 << 24

Values = Int[np.ndarray, " entries"] | list[str]


@dataclass(frozen=True)
class SideFiles:
    """Files beside a matrix, each with one entry a row; None where it is for us to find.

    Attributes:
        articles: whole numbers (.npy) or text (.npy, or .txt with an entry a line).
        chunks: whole numbers.
        texts: text.
    """

    articles: Path | None = None
    chunks: Path | None = None
    texts: Path | None = None

    def found(self, path: Path) -> "SideFiles":
        """These, with those that lie beside ``path`` and are called after it."""
        return SideFiles(
            self.articles or _beside(path, _ARTICLES, "--article-ids"),
            self.chunks or _beside(path, _CHUNKS, "--chunk-numbers"),
            self.texts or _beside(path, _TEXTS, "--texts"),
        )


def matrix_table(path: Path, asked: SideFiles) -> Table:
    """The table that a matrix and its side files are.

    Raises:
        UserError: a file that cannot be read, or one that has not one entry a row.
    """
    if path.suffix.lower() == ".npy":
        vectors, row_ids, what = _matrix(path), None, "NPY"
    else:
        vectors, row_ids = read_flat_index(path)
        what = "FAISS index"
    sides = asked.found(path)
    names = {"articles": sides.articles, "chunks": sides.chunks, "text": sides.texts}
    columns = {role: file.name for role, file in names.items() if file is not None}
    if sides.articles is None and row_ids is not None and len(np.unique(row_ids)) < len(row_ids):
        columns["articles"] = "its ids"
        return Table(path, what, columns, lambda: _blocks(vectors, row_ids, sides, None))
    if sides.articles is None:
        raise UserError(f"{path}: {_without_articles(path, row_ids)}.")
    articles = _entries(sides.articles)
    return Table(path, what, columns, lambda: _blocks(vectors, articles, sides, row_ids))


def _blocks(
    vectors: Float[np.ndarray, "n d"], articles: Values, sides: SideFiles, row_ids: Int[np.ndarray, " n"] | None
) -> Iterator[Block]:
    """Rows in the order of the matrix, or in that of ``row_ids``, which say which entry of a side file a row has."""
    chunks = None if sides.chunks is None else _entries(sides.chunks)
    texts = None if sides.texts is None else _entries(sides.texts)
    if isinstance(chunks, list):
        raise UserError(f"{sides.chunks}: holds text; chunk numbers must be whole numbers, as .npy.")
    order = entry = np.arange(len(vectors))
    if row_ids is not None:
        order = np.argsort(row_ids, kind="stable")
        entry = row_ids[order]
    for file, values in ((sides.articles, articles), (sides.chunks, chunks), (sides.texts, texts)):
        if file is not None and values is not None:
            _check_length(file, values, vectors, row_ids)
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


def _entries(file: Path) -> Values:
    """Whole numbers or texts, one a row."""
    if not is_file(file):
        raise UserError(f"{file}: no such file; check the path.")
    if file.suffix.lower() != ".npy":
        return _lines(file)
    try:
        found = map_npy(file)
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(f"{file}: cannot be read ({brief(error)}); save numbers or text, not objects.") from error
    numbers = found if found.dtype.kind == "U" else whole_numbers(found)
    if numbers is None or numbers.ndim != 1:
        raise UserError(
            f"{file}: holds {found.dtype} of shape {found.shape}; it must be a list of whole numbers or of text."
        )
    return [str(one) for one in numbers] if found.dtype.kind == "U" else np.asarray(numbers)


def _lines(file: Path) -> list[str]:
    found: list[str] = []
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as stream:
            while line := stream.readline(_LONGEST_LINE):
                if len(line) == _LONGEST_LINE:
                    raise UserError(f"{file}, line {len(found) + 1}: is too long; write one entry a line.")
                found.append(line.rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: is not UTF-8 text ({error.reason} at byte {error.start}); convert it.") from error
    return found


def _beside(path: Path, words: Sequence[str], option: str) -> Path | None:
    stem = path.with_suffix("").name
    names = [f"{stem}{mark}{word}{suffix}" for word in words for mark in _SEPARATORS for suffix in _SUFFIXES]
    found = [path.with_name(name) for name in names if is_file(path.with_name(name))]
    if len(found) > 1:
        raise UserError(f"{path}: both {found[0].name} and {found[1].name} lie beside it; name one with {option}.")
    return found[0] if found else None


def _without_articles(path: Path, row_ids: Int[np.ndarray, " n"] | None) -> str:
    stem = path.with_suffix("").name
    why = (
        "bare vectors do not say which article each belongs to"
        if row_ids is None
        else "its ids are all different, so they number chunks and not articles"
    )
    return (
        f"{why}; save the article of each beside it as {stem}_article_ids.npy (or .txt, one a line) and the "
        f"chunks' numbers as {stem}_chunk_indices.npy, or name files: "
        f"`lvm-data import {path.name} --out DIR --article-ids FILE`"
    )
