"""Scorecards that are damaged, or of other types than those that were written."""

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from ci.fuzzing.cases import Rng, damaged
from ci.fuzzing.report_files import Made, reports, undamaged_card

WEIRD: dict[str, Any] = {
    "null": None,
    "true": True,
    "0": 0,
    "-1": -1,
    "7": 7,
    "1.5": 1.5,
    "1e308": 1e308,
    "1e400": float("inf"),
    "NaN": float("nan"),
    "2**70": 2**70,
    "10**400": 10**400,
    "text": "x",
    "an empty text": "",
    "a list": [],
    "a list of numbers": [1, 2],
    "a list of lists": [[[]]],
    "a dictionary": {},
    "another dictionary": {"value": "x", "low": [], "high": {}, "n": -1},
    "release": "release",
    "markup": "<script>x</script>[bold]$\\frac{",
    "control letters": "\x1b[2J\r\n\t\x00",
    "a long text": "y" * 200_000,
    "nested": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
}


def _places(node: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key path, inner nodes too."""
    if place:
        yield place
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from _places(value, (*place, key))


@cache
def _by_depth(name: str) -> list[list[tuple[Any, ...]]]:
    """Paths grouped by length, so that those near the root are hit as often as the leaves."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for place in _places(undamaged_card(name)):
        found.setdefault(len(place), []).append(place)
    return list(found.values())


def replaced(name: str, rng: Rng) -> Made:
    card = copy.deepcopy(undamaged_card(name))
    level = _by_depth(name)[int(rng.integers(len(_by_depth(name))))]
    place = level[int(rng.integers(len(level)))]
    node = card
    for key in place[:-1]:
        node = node[key]
    where = "/".join(map(str, place))
    if rng.random() < 0.25:
        del node[place[-1]]
        return f"{where} is gone", "any", json.dumps(card).encode()
    kind = str(rng.choice(list(WEIRD)))
    node[place[-1]] = WEIRD[kind]
    return f"{where} is {kind}", "any", json.dumps(card).encode()


def typed(name: str, rng: Rng) -> Made:
    """All values of one kind become another: numbers text, text numbers, lists dictionaries."""
    kinds: dict[str, Any] = {"numbers": (int, float), "texts": str, "lists": list, "nulls": type(None), "flags": bool}
    kind, value = str(rng.choice(list(kinds))), WEIRD[str(rng.choice(list(WEIRD)))]

    def change(node: Any) -> Any:
        is_flag = isinstance(node, bool)
        if isinstance(node, kinds[kind]) and (kind == "flags" or not is_flag):
            return value
        if isinstance(node, dict):
            return {key: change(inner) for key, inner in node.items()}
        return [change(inner) for inner in node] if isinstance(node, list) else node

    keep = {key: undamaged_card(name)[key] for key in ("schema_version", "profile", "require")}
    return (
        f"every one of the {kind} is {str(value)[:20]!r}",
        "any",
        json.dumps({**change(undamaged_card(name)), **keep}).encode(),
    )


def text(name: str, rng: Rng) -> Made:
    said, content = damaged((reports() / name / "scorecard.json").read_bytes(), rng)
    return said, "any", content


def no_card(name: str, rng: Rng) -> Made:
    card = json.dumps(undamaged_card(name))
    made = {
        "nested": b"[" * 100_000,
        "nested and closed": b'{"schema_version": 1, "models": ' + b"[" * 900 + b"]" * 900 + b"}",
        "dictionaries 900 deep": b'{"schema_version": 1, "profile": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
        "a number of 10,000 digits": b'{"schema_version": ' + b"9" * 10_000 + b"}",
        "empty": b"",
        "null": b"null",
        "a list": b"[]",
        "text": b'"x"',
        "NaN": b"NaN",
        "UTF-16": card.encode("utf-16"),
        "latin-1": card.encode()[:-1] + b"\xff}",
        "a byte order mark": b"\xef\xbb\xbf" + card.encode(),
        "two cards": card.encode() * 2,
        "a key twice": card.encode()[:-1] + b', "profile": "skill", "models": []}',
        "version as text": card.replace('"schema_version": 1', '"schema_version": "1"').encode(),
        "version true": card.replace('"schema_version": 1', '"schema_version": true').encode(),
        "version 1.0": card.replace('"schema_version": 1', '"schema_version": 1.0').encode(),
        "version 2": card.replace('"schema_version": 1', '"schema_version": 2').encode(),
        "no models": json.dumps(undamaged_card(name) | {"models": []}).encode(),
        "5,000 models": json.dumps(undamaged_card(name) | {"models": [{"name": "x"}] * 5000}).encode(),
    }
    kind = str(rng.choice(list(made)))
    return kind, "any", made[kind]
