"""'Did you mean': the nearest of a list of known names, for messages."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause such as ``did you mean 'gru'? Known: amn, gru, lstm``; the question only where one is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=1)
    question = f"did you mean {near[0]!r}? " if near else ""
    return f"{question}Known: {', '.join(names)}"
