"""Where in a JSON value a type is wrong, in words that can follow "the file is damaged"."""

import re
from typing import Any

import msgspec

from lvm_gates.harness.base.errors import brief

_REASON = re.compile(r"(?s)(?P<what>.*) - at `(?P<place>[^`]*)`(?: in `(?P<outer>[^`]*)`)?\Z")
_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<item>\d+)\]|(?P<key>\[\.\.\.\])")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def first_fault(value: Any, kind: type[Any], error: msgspec.ValidationError) -> str:
    """``models/0/verdict: invalid enum value 'fine'``.

    Args:
        value: that is not of a type.
        kind: the type.
        error: why not.
    """
    found = _REASON.match(str(error))
    what, inner, outer = (str(error), "", None) if found is None else found.groups()
    place = "/".join(str(step) for step in _keys(value, kind, _steps(outer or inner), str(error)))
    if outer is not None:
        what = "a key is not as it must be"
    if missing := _MISSING.fullmatch(what):
        return brief(f"{place or 'it'} has no {missing[1]!r}")
    return brief(f"{place or 'it'}: {what[:1].lower()}{what[1:]}".replace("`", ""))


def _steps(place: str) -> list[str | int | None]:
    """Fields, positions in lists, and None for a key of an object, which msgspec does not tell."""
    return [
        m["field"] if m["field"] is not None else int(m["item"]) if m["item"] is not None else None
        for m in _STEP.finditer(place)
    ]


def _keys(value: Any, kind: type[Any], steps: list[str | int | None], said: str) -> list[str | int]:
    """The same with the keys, each found by leaving out the others."""
    whole = value
    found: list[str | int] = []
    for step in steps:
        node = whole
        for key in found:
            node = node[key]
        if step is None:
            step = next((key for key in node if _says(_only(whole, found, key), kind, said)), "...")
        found.append(step)
        if step == "...":
            break
    return [brief(step) if isinstance(step, str) else step for step in found]


def _only(whole: Any, place: list[str | int], key: str) -> Any:
    """A copy in which the object at a place has one key."""
    if not place:
        return {key: whole[key]}
    head, *rest = place
    inner = _only(whole[head], rest, key)
    if isinstance(whole, list):
        return [inner if i == head else item for i, item in enumerate(whole)]
    return {**whole, head: inner}


def _says(value: Any, kind: type[Any], said: str) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error) == said
    return False
