"""Tables and text in Markdown, with nothing in them that a page would obey."""

import re
from collections.abc import Sequence

_LIVE = re.compile(r"([\\`*_|]|(?<=\])\()")
_MENTION = re.compile(r"(?<!\w)@")


def markup(text: str) -> str:
    """Text as itself: a name is anybody's, and may hold tags, links, or the names of people to be called."""
    plain = _LIVE.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", " "))
    return _MENTION.sub("@&#8203;", plain)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, each cell as itself."""
    lines = [list(map(markup, head)), ["---"] * len(head), *(list(map(markup, row)) for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]
