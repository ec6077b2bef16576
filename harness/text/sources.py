"""Where articles come from: a folder of text files, a JSON-lines file, or the documentation inside Python.

A source is read more than once (first to plan, then to embed) and always in the same order. It holds one article at
a time, so its size does not matter to memory.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import JSONL_SUFFIXES, TEXT_SUFFIXES

PYTHON_DOCS = "python-docs"


@dataclass(frozen=True)
class Article:
    """One article: its running text, or the chunks that its source has already cut it into.

    Attributes:
        title: what the source calls it.
        text: running text still to be cut; None where ``chunks`` is given.
        chunks: the source's own chunks, in reading order.
    """

    title: str
    text: str | None = None
    chunks: tuple[str, ...] = ()


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


def open_source(name: str, licence: str | None = None) -> Source:
    """The source called ``name`` on the command line.

    Args:
        name: a folder, a .jsonl or .jsonl.gz file, or ``python-docs`` (a folder of that name is ``./python-docs``).
        licence: of the text, if the caller knows it.

    Raises:
        UserError: nothing there, or nothing in it that can be read.
    """
    if name == PYTHON_DOCS:
        from lvm_gates.harness.text.python_docs import python_docs

        return python_docs()
    path = Path(name)
    if path.is_dir():
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
    if not path.name.endswith(JSONL_SUFFIXES):
        raise UserError(
            f"{path}: is neither a folder of text files nor a {' or '.join(JSONL_SUFFIXES)} file; give one of these."
        )
    return Source(path.name, "JSON lines, one article a line", licence, lambda: _read_jsonl(path))


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


def _read_jsonl(path: Path) -> Iterator[Article]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _article(line, f"{path}, line {number}")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); copy it again.") from error


def _article(line: bytes, where: str) -> Article:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where}: is no JSON ({error}); put one JSON object on each line.") from error
    if not isinstance(record, dict) or not isinstance(record.get("title"), str):
        raise UserError(f'{where}: has no "title"; write {{"title": "...", "text": "..."}}.')
    text, chunks = record.get("text"), record.get("chunks")
    if isinstance(text, str) and chunks is None:
        return Article(record["title"], text)
    if text is None and isinstance(chunks, list) and all(isinstance(chunk, str) for chunk in chunks):
        return Article(record["title"], None, tuple(chunks))
    raise UserError(f'{where}: needs either "text", a string, or "chunks", a list of strings; give exactly one.')
