"""Where articles come from: a folder of text files, a table (JSON lines, Parquet, Arrow), or Python's documentation.

A source is read more than once (first to plan, then to embed) and always in the same order. It holds one article at
a time, so its size does not matter to memory.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import JSONL_SUFFIXES, TEXT_SUFFIXES
from lvm_gates.harness.corpus.tables.columns import ColumnNames
from lvm_gates.harness.corpus.tables.opening import ARROW_SUFFIXES, PARQUET_SUFFIXES, is_table
from lvm_gates.harness.text.articles import Article
from lvm_gates.harness.text.tables import read_table

PYTHON_DOCS = "python-docs"
_TABLES = (*JSONL_SUFFIXES, *PARQUET_SUFFIXES, *ARROW_SUFFIXES)


@dataclass(frozen=True)
class Source:
    """Articles that can be read again and again.

    Attributes:
        name: recorded in the corpus; the last part of a path, since the rest says nothing to another machine.
        description: what it is, in words.
        licence: where it is known.
        read: starts over from the first article.
    """

    name: str
    description: str
    licence: str | None
    read: Callable[[], Iterable[Article]]


def open_source(name: str, licence: str | None = None, columns: ColumnNames | None = None) -> Source:
    """The source called ``name`` on the command line.

    Args:
        name: a folder, a table, or ``python-docs`` (a folder of that name is ``./python-docs``).
        licence: of the text, if the caller knows it.
        columns: of a table, as the user named them.

    Raises:
        UserError: nothing there, or nothing in it that can be read.
    """
    if name == PYTHON_DOCS:
        from lvm_gates.harness.text.python_docs import python_docs

        return python_docs()
    path = Path(name)
    asked = columns or ColumnNames()
    if path.is_dir() and not is_table(path):
        files = _text_files(path)
        if not files:
            raise UserError(f"{path}: holds no {', '.join(TEXT_SUFFIXES)} file; give a folder that does.")
        return Source(
            path.resolve().name,
            f"folder of {len(files)} text files, one article a file",
            licence,
            lambda: _read_folder(path, files),
        )
    if not path.exists():
        raise UserError(f"{path}: no such folder or file; give text, or `{PYTHON_DOCS}`, which needs no file.")
    if not (path.is_dir() or path.name.lower().endswith(_TABLES)):
        raise UserError(
            f"{path}: is neither a folder of text files nor a {', '.join(_TABLES)} file; give one of these."
        )
    return Source(path.resolve().name, "table of text", licence, lambda: read_table(path, asked))


def _text_files(folder: Path) -> list[Path]:
    """Text files at any depth, ordered by their path, which does not depend on the file system."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in TEXT_SUFFIXES and p.is_file())
    visible = (p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    return sorted(visible, key=lambda p: p.relative_to(folder).as_posix())


def _read_folder(folder: Path, files: list[Path]) -> Iterator[Article]:
    for file in files:
        try:
            # Editors on Windows begin a file with a byte-order mark.
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{file}: is not UTF-8 text ({error.reason} at byte {error.start}); convert it.") from error
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror}); make it readable or remove it.") from error
        yield Article(file.relative_to(folder).as_posix(), text)
