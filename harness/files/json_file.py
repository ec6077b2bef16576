"""JSON as a program of ours writes it: finite numbers, no key twice, no nesting that would end a recursion."""

import json
from pathlib import Path
from typing import Any

# Ours nest to nine levels (the checks of a gate of a card); Python gives up at a thousand.
_DEEPEST = 64


def read_json(path: Path, most: int) -> Any:
    """The value a file holds.

    Args:
        path: of the file.
        most: bytes it may have.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, no JSON, nested too deep, or ambiguous; the text says which.
    """
    if path.stat().st_size > most:
        raise ValueError(f"it has more than {most >> 20} MB")
    content = path.read_bytes()
    try:
        value = json.loads(content, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep") from None
    _check_depth(value)
    return value


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"key {twice!r} stands twice in one object")
    return found


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
