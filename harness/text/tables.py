"""Articles of text in tables: JSON lines, Parquet, Arrow and Hugging Face data sets.

A row is an article, with its text or with a list of the chunks that its source has cut it into; or a row is a chunk,
where the table numbers the chunks of its articles, and the rows of an article stand together.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import JSONL_SUFFIXES, is_folder
from lvm_gates.harness.corpus.tables.columns import ColumnNames, Kind, find_column
from lvm_gates.harness.corpus.tables.json_lines import json_kinds, records
from lvm_gates.harness.corpus.tables.opening import MISSING_EXTRA, table_files
from lvm_gates.harness.text.articles import Article

_TEXTS = ("text", "content", "body", "document", "article", "sentence", "chunk_text", "passage", "paragraph")
_CHUNKS = ("chunks", "sentences", "text_sentences", "paragraphs", "passages", "texts")
_TITLES = ("title", "name", "article_id", "doc_id", "document_id", "id", "_id", "url")
_GROUPS = ("article_id", "article_index", "doc_id", "document_id", "docid", "wiki_id", "page_id", "parent_id", "title")
# "position" and "order" may be those of articles.
_NUMBERS = ("chunk_index", "chunk_id", "chunk_number", "sentence_index", "sentence_id", "paragraph_id", "passage_id")
# A row may be a book.
_BATCH = 64


class TextColumns(NamedTuple):
    """Which column is what.

    Attributes:
        text: text of a row, or the list of its chunks; the first of these that a row has, which may be of two kinds.
        title: of an article; None where its row's number is its name.
        group: the article of a row that is a chunk; None where a row is an article.
        chunk: numbers the chunks of an article.
    """

    text: tuple[str, ...]
    title: str | None
    group: str | None
    chunk: str | None


def find_text(path: Path, kinds: Mapping[str, Kind], asked: ColumnNames, default: tuple[str, ...] = ()) -> TextColumns:
    """The columns of a table of text.

    Args:
        path: for messages.
        kinds: of every column.
        asked: what the user named.
        default: columns of text where none is found.

    Raises:
        UserError: no text, or a column that is named and not there.
    """
    if asked.text is not None:
        find_column(path, kinds, "text", asked)
        text: tuple[str, ...] = (asked.text,)
    else:
        one = [name for name in _TEXTS if kinds.get(name) == "text"][:1]
        many = [name for name in _CHUNKS if kinds.get(name) == "texts"][:1]
        text = (*one, *many) or default
    if not text:
        there = brief(", ".join(kinds)) or "none"
        raise UserError(
            f"{path}: no column of text or of lists of text (looked for {', '.join((*_TEXTS[:3], *_CHUNKS[:3]))} and "
            f"others; there are {there}); name it with --text-column."
        )
    chunk = find_column(path, kinds, "chunk", asked, _NUMBERS) if kinds.get(text[0]) == "text" else None
    group = find_column(path, kinds, "article", asked, _GROUPS) if chunk or asked.article else None
    title = group or find_column(path, kinds, "article", ColumnNames(), [name for name in _TITLES if name not in text])
    return TextColumns(text, title, group, chunk if group else None)


def read_table(path: Path, asked: ColumnNames) -> Iterator[Article]:
    """The articles of a table, one at a time.

    Raises:
        UserError: a table that cannot be read, or a row that does not fit.
    """
    if not is_folder(path) and path.name.lower().endswith(JSONL_SUFFIXES):
        kinds = json_kinds(path)
        if not kinds:
            return
        rows: Iterator[tuple[str, Mapping[str, Any]]] = ((f"line {i}", record) for i, record in records(path))
        columns = find_text(path, kinds, asked, ("text", "chunks"))
        if asked.text is None:
            # Other lines may have lists where the first has text.
            columns = columns._replace(text=tuple(dict.fromkeys([*columns.text, "text", "chunks"])))
    else:
        columns, rows = _arrow(path, asked)
    yield from _chunk_rows(path, rows, columns) if columns.group else _article_rows(path, rows, columns)


def _arrow(path: Path, asked: ColumnNames) -> tuple[TextColumns, Iterator[tuple[str, Mapping[str, Any]]]]:
    _, files = table_files(path)
    try:
        from lvm_gates.harness.corpus.tables.arrow_files import ArrowFiles
    except ImportError as error:
        raise UserError(MISSING_EXTRA.format(path=path)) from error
    opened = ArrowFiles(path, files)
    columns = find_text(path, opened.kinds, asked)
    wanted = list(dict.fromkeys(name for name in (*columns.text, *columns[1:]) if isinstance(name, str)))

    def rows() -> Iterator[tuple[str, Mapping[str, Any]]]:
        number = 0
        for batch in opened.batches(wanted, _BATCH):
            for record in batch.to_pylist():
                yield f"row {number}", record
                number += 1

    return columns, rows()


def _article_rows(path: Path, rows: Iterator[tuple[str, Mapping[str, Any]]], columns: TextColumns) -> Iterator[Article]:
    for name, record in rows:
        where = f"{path}, {name}"
        given = [column for column in columns.text if record.get(column) is not None]
        value = record[given[0]] if len(given) == 1 else None
        title = _title(record, columns, name)
        if isinstance(value, str):
            yield Article(title, value)
        elif isinstance(value, list) and all(isinstance(one, str) for one in value):
            yield Article(title, None, tuple(value))
        else:
            raise UserError(
                f"{where}: needs either text, a string, or chunks, a list of strings, in {_either(columns.text)}; give "
                "exactly one."
            )


def _chunk_rows(path: Path, rows: Iterator[tuple[str, Mapping[str, Any]]], columns: TextColumns) -> Iterator[Article]:
    done: set[Any] = set()
    article: Any = None
    chunks: list[str] = []
    last = 0
    for name, record in rows:
        where = f"{path}, {name}"
        text, group = record.get(columns.text[0]), record.get(columns.group or "")
        number = last + 1 if columns.chunk is None else record.get(columns.chunk)
        if not isinstance(text, str | None) or not isinstance(group, str | int):
            raise UserError(f"{where}: has no text or no article; fill it in or drop the row.")
        if chunks and group != article:
            yield Article(str(article), None, tuple(chunks))
            done.add(article)
            chunks = []
        if group in done:
            raise UserError(
                f"{where}: belongs to article {brief(repr(group))}, whose rows ended above; sort the rows by article."
            )
        if not isinstance(number, int | float) or (chunks and number <= last):
            raise UserError(
                f"{where}: chunk number {brief(repr(number))} does not follow {last}; sort the rows by article "
                "and chunk."
            )
        # A gap in the numbers is a chunk that is not there: an empty one, which the chunker drops, and no window spans.
        if chunks and number > last + 1:
            chunks.append("")
        chunks.append(text or "")
        article, last = group, int(number)
    if chunks:
        yield Article(str(article), None, tuple(chunks))


def _title(record: Mapping[str, Any], columns: TextColumns, row: str) -> str:
    found = None if columns.title is None else record.get(columns.title)
    return row if found is None else str(found)


def _either(names: Sequence[str]) -> str:
    return " or ".join(brief(repr(name)) for name in names)
