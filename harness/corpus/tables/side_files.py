"""Files beside a bare matrix: the article, the number and the text of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import JSONL_SUFFIXES, is_file
from lvm_gates.harness.corpus.tables.columns import ColumnNames, Kind, Role, find_side_column
from lvm_gates.harness.corpus.tables.json_lines import ids_of, json_values, kinds_of, text_of, whole_of
from lvm_gates.harness.files.npz_file import map_npy, whole_numbers

# emb.npy is found beside emb_article_ids.npy or emb.articles.txt.
_ARTICLES = ("article_ids", "article_indices", "articles", "ids")
_CHUNKS = ("chunk_indices", "chunk_index", "chunk_numbers", "chunks")
_TEXTS = ("texts", "text", "sentences")
_SEPARATORS, _SUFFIXES = ("_", ".", "-"), (".npy", ".txt", *JSONL_SUFFIXES)
# A line of text or an id; a binary file has no line ends.
_LONGEST_LINE = 1 << 24
_WHAT = {"article": "which article a row belongs to", "chunk": "which chunk of it a row is", "text": "its text"}

Values = Int[np.ndarray, " entries"] | list[str]


@dataclass(frozen=True)
class SideFile:
    """One of them.

    Attributes:
        path: of whole numbers (.npy), of text (.npy, or a line each), or of JSON lines.
        role: what its entries are.
        field: of JSON lines that are objects, the one that is read.
    """

    path: Path
    role: Role
    field: str | None = None

    @property
    def name(self) -> str:
        """What is printed and recorded."""
        return self.path.name if self.field is None else f"{self.field} in {self.path.name}"

    def entries(self) -> Values:
        """One a row.

        Raises:
            UserError: the file cannot be read, or an entry does not fit.
        """
        return _from_json(self) if _is_json(self.path) else _entries(self.path)


@dataclass(frozen=True)
class FoundFiles:
    """Those that there are."""

    articles: SideFile | None
    chunks: SideFile | None
    texts: SideFile | None

    @property
    def names(self) -> dict[str, str]:
        """What each was taken for -> its name."""
        found = {"articles": self.articles, "chunks": self.chunks, "text": self.texts}
        return {role: file.name for role, file in found.items() if file is not None}


@dataclass(frozen=True)
class SideFiles:
    """Files beside a matrix, each with one entry a row; None where it is for us to find.

    Attributes:
        articles: whole numbers (.npy) or text (.npy, .txt with an entry a line, or JSON lines).
        chunks: whole numbers.
        texts: text.
    """

    articles: Path | None = None
    chunks: Path | None = None
    texts: Path | None = None

    def paths(self, path: Path) -> tuple[Path | None, Path | None, Path | None]:
        """Of articles, chunk numbers and texts: these, or those that lie beside ``path`` and are called after it.

        Raises:
            UserError: two that could be meant.
        """
        return (
            self.articles or _beside(path, _ARTICLES, "--article-ids"),
            self.chunks or _beside(path, _CHUNKS, "--chunk-numbers"),
            self.texts or _beside(path, _TEXTS, "--texts"),
        )

    def found(self, path: Path, names: ColumnNames) -> FoundFiles:
        """What is read of `paths`.

        JSON lines that name the articles may hold numbers and text as well, which are then read from there.

        Raises:
            UserError: two that could be meant, or JSON lines without what is looked for.
        """
        articles, chunks, texts = self.paths(path)
        fields = {} if articles is None or not _is_json(articles) else _fields(articles)
        return FoundFiles(
            articles=_side(articles, "article", names),
            chunks=_side(chunks, "chunk", names) or _along(articles, fields, "chunk", names),
            texts=_side(texts, "text", names) or _along(articles, fields, "text", names),
        )


def _is_json(file: Path) -> bool:
    return file.name.lower().endswith(JSONL_SUFFIXES)


def _fields(file: Path) -> dict[str, Kind]:
    """Of the first line, where it is an object."""
    if not is_file(file):
        raise UserError(f"{file}: no such file; check the path.")
    _, first = next(json_values(file), (0, None))
    return kinds_of(first) if isinstance(first, dict) else {}


def _side(file: Path | None, role: Role, names: ColumnNames) -> SideFile | None:
    if file is None or not _is_json(file):
        return None if file is None else SideFile(file, role)
    fields = _fields(file)
    found = find_side_column(file, fields, role, names) if fields else None
    if fields and found is None:
        raise UserError(
            f"{file}: no field says {_WHAT[role]} (its fields are {brief(', '.join(fields))}); name it with "
            f"--{role}-column."
        )
    return SideFile(file, role, found)


def _along(file: Path | None, fields: Mapping[str, Kind], role: Role, names: ColumnNames) -> SideFile | None:
    """What the articles' file holds besides."""
    found = find_side_column(file, fields, role, names) if file is not None and fields else None
    return None if file is None or found is None else SideFile(file, role, found)


def _from_json(side: SideFile) -> Values:
    found = []
    for number, value in json_values(side.path):
        where = f"{side.path}, line {number}"
        if side.field is None:
            found.append((where, value))
        elif isinstance(value, dict) and side.field in value:
            found.append((where, value[side.field]))
        else:
            raise UserError(f"{where}: has no field {brief(repr(side.field))}, which the first line has; add it.")
    name = side.field or side.path.name
    if side.role == "text":
        return [text_of(value, where, name) for where, value in found]
    if side.role == "chunk":
        return np.array([whole_of(value, where, name) for where, value in found], dtype=np.int64)
    values: Values = ids_of(found, name) if found else []
    return values


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
