"""Vectors in Parquet and Arrow: one a row, or all of an article in a row (the layout of Large Concept Models)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lvm_gates.harness.corpus.tables import arrow_values
from lvm_gates.harness.corpus.tables.arrow_files import ArrowFiles, told
from lvm_gates.harness.corpus.tables.columns import ColumnNames, Columns, find_columns
from lvm_gates.harness.corpus.tables.gather import row_name
from lvm_gates.harness.corpus.tables.table import BLOCK_ROWS, Block, Table

# Articles that are in memory at once where a row is an article.
_BATCH_ARTICLES = 16


def arrow_table(path: Path, files: Sequence[Path], what: str, asked: ColumnNames) -> Table:
    """The table in some files of one schema.

    Raises:
        UserError: files that cannot be read, or columns that cannot be told apart.
    """
    opened = ArrowFiles(path, files)
    columns = find_columns(path, opened.kinds, asked)
    return Table(path, what, columns.names, lambda: _blocks(opened, columns))


def _blocks(files: ArrowFiles, columns: Columns) -> Iterator[Block]:
    begin = 0
    wanted = list(dict.fromkeys(columns.names.values()))
    for batch in files.batches(wanted, _BATCH_ARTICLES if columns.nested else BLOCK_ROWS):
        with told(files.path):
            yield from (_articles if columns.nested else _chunks)(batch, columns, begin)
        begin += batch.num_rows


def _chunks(batch: Any, columns: Columns, begin: int) -> Iterator[Block]:
    def named(column: str | None) -> arrow_values.Named:
        return lambda row: row_name(begin + row, column)

    article = columns.article or ""
    yield Block(
        vectors=arrow_values.vectors(batch[columns.vector], named(columns.vector)),
        articles=arrow_values.ids(batch[article], named(article)),
        chunks=None
        if columns.chunk is None
        else arrow_values.whole(batch[columns.chunk], named(columns.chunk), "chunk number"),
        texts=None if columns.text is None else arrow_values.texts(batch[columns.text]),
        where=named(columns.vector),
    )


def _articles(batch: Any, columns: Columns, begin: int) -> Iterator[Block]:
    """One block a row; an article without a chunk gives none."""
    nested = arrow_values.plain(batch[columns.vector])
    articles = None if columns.article is None else batch[columns.article]
    for row in range(batch.num_rows):
        name = row_name(begin + row, columns.vector)
        one = nested.slice(row, 1)
        inner = one.flatten()  # nothing of a row that is missing
        if len(inner) == 0:
            continue

        where = _item_of(name)
        found = arrow_values.vectors(inner, where)
        if articles is None:
            ids: Any = np.array([begin + row])
        else:
            ids = arrow_values.ids(articles.slice(row, 1), _fixed(row_name(begin + row, columns.article)))
        texts = None
        if columns.text is not None:
            texts = arrow_values.texts(arrow_values.plain(batch[columns.text]).slice(row, 1).flatten())
            if len(texts) != len(found):
                raise arrow_values.BadRowError(
                    f"{row_name(begin + row)} holds {len(found)} vectors in {columns.vector!r} and {len(texts)} texts "
                    f"in {columns.text!r}; name another --text-column, or drop the row."
                )
        yield Block(
            vectors=found,
            articles=ids * len(found) if isinstance(ids, list) else np.repeat(ids, len(found)),
            chunks=np.arange(len(found)),
            texts=texts,
            where=where,
        )


def _item_of(name: str) -> arrow_values.Named:
    return lambda item: f"{name}, item {item}"


def _fixed(name: str) -> arrow_values.Named:
    return lambda _: name
