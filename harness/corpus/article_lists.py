"""Articles as a user lists them: ranges of numbers, ids that are text, or a file of either."""

import re
from pathlib import Path

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.corpus.corpus import Corpus

# What a list of ids may have; a million ids of a hundred letters.
_LARGEST = 128 << 20


def listed_articles(corpus: Corpus, text: str, option: str) -> list[int]:
    """The articles that an option lists, by `Corpus.article_ids`.

    Args:
        corpus: whose articles they are.
        text: ``0-29,40`` where ids are numbers; ids with commas between them where they are text; ``@FILE`` for a
            file with one of either a line.
        option: for messages.

    Raises:
        UserError: not of that form, or an id that is text and not there.
    """
    parts = _lines(Path(text[1:]), option) if text.startswith("@") else text.split(",")
    shown = f"{option}={brief(text)}"
    if corpus.names is None:
        return parse_articles(",".join(parts), shown)
    known = {name: int(article) for name, article in zip(corpus.names, corpus.article_ids, strict=True)}
    # A file may list what was left out of a corpus, and so may a range; a name on the command line is a slip.
    absent = [part for part in parts if part.strip() not in known]
    if absent and not text.startswith("@"):
        raise UserError(
            f"{shown}: {corpus.path} has no article {brief(repr(absent[0].strip()))}, its {corpus.id_range}; write ids "
            "with commas between them, or @FILE with one a line."
        )
    return [known[part.strip()] for part in parts if part.strip() in known]


def parse_articles(text: str, shown: str) -> list[int]:
    """``0-29,40`` -> [0, …, 29, 40].

    Raises:
        UserError: not of that form; the message begins with ``shown``.
    """
    return [article for part in text.split(",") for article in _range(part, shown)]


def _range(part: str, shown: str) -> range:
    match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
    if not match or (match[2] is not None and int(match[2]) < int(match[1])):
        raise UserError(f"{shown}: {part!r} is no article range; write ranges such as 0-29,40.")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def _lines(file: Path, option: str) -> list[str]:
    try:
        if file.stat().st_size > _LARGEST:
            raise UserError(f"{option}=@{file}: has more than {_LARGEST >> 20} MB; list fewer articles.")
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{option}=@{file}: cannot be read ({brief(error)}); name a text file of ids.") from error
    return [line for line in lines if line.strip()]
