"""Which column of a table is what: by the option that names it, else by its type and the names that people use."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvm_gates.harness.base.errors import UserError, brief

# "vectors" and "texts" are lists of those: a row is an article then.
Kind = Literal["vector", "vectors", "text", "texts", "whole", "number", "other"]
Role = Literal["vector", "article", "chunk", "text"]

# In the order in which they are taken: the original names, LCM's, and those of public Wikipedia sets are among them.
_NAMES: Mapping[Role, tuple[str, ...]] = {
    "vector": (
        "embedding", "embeddings", "vector", "vectors", "emb", "sentence_embedding", "sentence_embeddings",
        "text_embedding", "text_sentences_sonar_emb", "X",
    ),
    "article": (
        "article_id", "article_ids", "article_index", "article_indices", "article", "doc_id", "document_id", "docid",
        "doc", "document", "wiki_id", "page_id", "parent_id", "title", "url",
    ),
    "chunk": (
        "chunk_index", "chunk_indices", "chunk_id", "chunk_number", "chunk", "seq_idx", "sentence_index", "sentence_id",
        "sentence_number", "paragraph_id", "paragraph_index", "passage_id", "position", "order",
    ),
    "text": (
        "text", "texts", "sentence", "sentences", "text_sentences", "chunk_text", "chunk", "chunks", "passage",
        "paragraph", "content", "body",
    ),
}  # fmt: skip
# An id that numbers rows says nothing of articles; where a row is an article it does.
_ROW_IDS = ("id", "_id")
_KINDS: Mapping[Role, tuple[Kind, ...]] = {
    "vector": ("vector", "vectors"),
    "article": ("whole", "number", "text"),
    "chunk": ("whole", "number"),
    "text": ("text", "texts"),
}
_WANTED: Mapping[Role, str] = {
    "vector": "lists of floats, or lists of those",
    "article": "whole numbers or text",
    "chunk": "whole numbers",
    "text": "text, or lists of it",
}
_SHOWN = 12


@dataclass(frozen=True)
class ColumnNames:
    """Columns as the user named them; None where it is for us to find."""

    vector: str | None = None
    article: str | None = None
    chunk: str | None = None
    text: str | None = None

    def of(self, role: Role) -> str | None:
        """The column named for a role."""
        found: str | None = getattr(self, role)
        return found


@dataclass(frozen=True)
class Columns:
    """Columns as they are read.

    Attributes:
        vector: holds a vector a row, or with ``nested`` the vectors of an article.
        article: None where a row is an article without an id; it is then its number.
        chunk: None where the order of the rows, or of the list, is the reading order.
        text: of a chunk, or with ``nested`` of all of an article; None where there is none.
        nested: whether a row is an article.
    """

    vector: str
    article: str | None
    chunk: str | None
    text: str | None
    nested: bool

    @property
    def names(self) -> dict[str, str]:
        """What each was taken for -> its name."""
        found = {"vectors": self.vector, "articles": self.article, "chunks": self.chunk, "text": self.text}
        return {role: name for role, name in found.items() if name is not None}


def find_columns(path: Path, kinds: Mapping[str, Kind], asked: ColumnNames) -> Columns:
    """The columns of a table of vectors.

    Args:
        path: for messages.
        kinds: of every column.
        asked: what the user named.

    Raises:
        UserError: none of the vectors or articles, several that could be the vectors, or one of a kind that cannot be.
    """
    vector = asked.vector or _vectors(path, kinds)
    _check(path, kinds, "vector", vector)
    nested = kinds[vector] == "vectors"
    article = find_column(path, kinds, "article", asked, (*_NAMES["article"], *(_ROW_IDS if nested else ())))
    if article is None and not nested:
        raise UserError(
            f"{path}: no column says which article a row belongs to (looked for {', '.join(_NAMES['article'][:6])} and "
            f"others; {_there(kinds)}); name it with --article-column."
        )
    if nested and asked.chunk is not None:
        raise UserError(
            f"{path}: --chunk-column {asked.chunk}: column {brief(vector)!r} holds the vectors of an article in their "
            "order; leave the option out."
        )
    chunk = None if nested else find_column(path, kinds, "chunk", asked)
    text = _text(path, kinds, asked, nested)
    return Columns(vector, article, chunk, text, nested)


def find_column(
    path: Path, kinds: Mapping[str, Kind], role: Role, asked: ColumnNames, names: Collection[str] = ()
) -> str | None:
    """The column for a role: as named, else the first known name of a fitting kind; None where there is none.

    Raises:
        UserError: the one that was named is not there, or of a kind that cannot be.
    """
    named = asked.of(role)
    if named is not None:
        _check(path, kinds, role, named)
        return named
    lower: dict[str, str] = {}
    for name in kinds:
        lower.setdefault(name.lower(), name)
    known = (lower.get(name.lower()) for name in names or _NAMES[role])
    return next((name for name in known if name is not None and kinds[name] in _KINDS[role]), None)


def find_side_column(path: Path, kinds: Mapping[str, Kind], role: Role, asked: ColumnNames) -> str | None:
    """The field of a file beside a matrix for a role: the file is there for articles, so one may be called an id.

    Raises:
        UserError: the one that was named is not there, or of a kind that cannot be.
    """
    return find_column(path, kinds, role, asked, (*_NAMES["article"], *_ROW_IDS) if role == "article" else ())


def _vectors(path: Path, kinds: Mapping[str, Kind]) -> str:
    found = [name for name, kind in kinds.items() if kind in _KINDS["vector"]]
    if not found:
        raise UserError(
            f"{path}: no column holds vectors, {_WANTED['vector']} ({_there(kinds)}); embed the text first."
        )
    known = [name for name in found if name.lower() in {one.lower() for one in _NAMES["vector"]}]
    if len(found) > 1 and len(known) != 1:
        raise UserError(
            f"{path}: columns {brief(', '.join(found))} could each be the vectors; name one with --vector-column."
        )
    return (known or found)[0]


def _text(path: Path, kinds: Mapping[str, Kind], asked: ColumnNames, nested: bool) -> str | None:
    wanted: Kind = "texts" if nested else "text"
    found = find_column(path, {n: k for n, k in kinds.items() if asked.text or k == wanted}, "text", asked)
    if found is not None and kinds[found] != wanted:
        row, held = ("the vectors of an article", "a list of texts") if nested else ("one vector", "one text")
        raise UserError(
            f"{path}: --text-column {brief(found)}: a row has {row}, so the column must hold {held}; name another."
        )
    return found


def _check(path: Path, kinds: Mapping[str, Kind], role: Role, name: str) -> None:
    if name not in kinds:
        raise UserError(f"{path}: --{role}-column {name}: no such column ({_there(kinds)}); name one of these.")
    if kinds[name] not in _KINDS[role]:
        raise UserError(
            f"{path}: --{role}-column {name}: does not hold {_WANTED[role]}; name another ({_there(kinds)})."
        )


def _there(kinds: Mapping[str, Kind]) -> str:
    names = [brief(name) for name in kinds]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"its columns are {', '.join(names[:_SHOWN])}{more}" if names else "it has no columns"
