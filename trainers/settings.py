"""A recipe's numbers as fields of frozen dataclasses, by dotted path: shown, changed and recorded alike.

``@dataclass class Hinge: weight: Schedule = setting(...)`` inside ``@dataclass class P3: directional: Hinge`` is
``directional.weight``. Nothing is registered: whatever is a field is a setting. No torch here, since ``--help`` must
be instant.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers.schedule import Schedule, schedule_of

# As a command line, a TOML file and a checkpoint hold it; a schedule is its text.
Plain = bool | int | float | str | None
Settings = TypeVar("Settings")
_NOTHING = "none"


@dataclass(frozen=True)
class NoSettings:
    """Of a recipe that has none of its own."""


@dataclass(frozen=True)
class Setting:
    """One field, found by its path.

    Attributes:
        path: dotted.
        value: now.
        kind: its annotation.
        about: what it is, in a few words.
        low: least value, None for none; of a schedule, in every epoch.
        high: greatest value.
        option: the command's short option for the same, if there is one, by its parameter's name.
    """

    path: str
    value: Any
    kind: Any
    about: str = ""
    low: int | float | None = None
    high: int | float | None = None
    option: str | None = None


def setting(
    default: Any = dataclasses.MISSING,
    about: str = "",
    *,
    low: int | float | None = None,
    high: int | float | None = None,
    option: str | None = None,
) -> Any:
    """A field with its bounds and what is said of it; a plain field is a setting, too.

    Args:
        default: of the field.
        about: in a few words, for ``--show-settings``.
        low: least value.
        high: greatest value.
        option: parameter of a Click option of the recipe that sets the same.
    """
    return dataclasses.field(default=default, metadata={"about": about, "low": low, "high": high, "option": option})


def settings_of(tree: object, prefix: str = "") -> Iterator[Setting]:
    """Every setting in ``tree``, in the order of its fields."""
    kinds = typing.get_type_hints(type(tree))
    for one in dataclasses.fields(tree):  # type: ignore[arg-type]
        value, path = getattr(tree, one.name), prefix + one.name
        if dataclasses.is_dataclass(value) and not isinstance(value, Schedule):
            yield from settings_of(value, f"{path}.")
        else:
            yield Setting(path, value, kinds[one.name], **one.metadata)


def as_plain(tree: object) -> dict[str, Plain]:
    """Path -> value, as runs and checkpoints record it."""
    return {one.path: plain_value(one.value) for one in settings_of(tree)}


def plain_value(value: Any) -> Plain:
    """A setting's value as recorded."""
    return str(value) if isinstance(value, Schedule) else value


def changed(tree: Settings, changes: Mapping[str, Plain], given_by: str = "--set") -> Settings:
    """``tree`` with other values.

    Args:
        tree: a dataclass.
        changes: path of one of its settings -> value, as typed or as in a TOML file.
        given_by: for messages.

    Raises:
        KeyError: an unknown path.
        UserError: a value of another type or out of bounds.
    """
    known = {one.path: one for one in settings_of(tree)}
    for path, value in changes.items():
        try:
            tree = _replaced(tree, path, _value(known[path], value))
        except ValueError as error:
            raise UserError(f"{given_by} {path}={value}: {error}.") from error
    return tree


def _replaced(tree: Any, path: str, value: Any) -> Any:
    first, _, rest = path.partition(".")
    return dataclasses.replace(tree, **{first: _replaced(getattr(tree, first), rest, value) if rest else value})


def _value(one: Setting, given: Plain) -> Any:
    """What was typed, as the setting's type.

    Raises:
        ValueError: it cannot be.
    """
    kinds = get_args(one.kind) if get_origin(one.kind) in (typing.Union, types.UnionType) else (one.kind,)
    if type(None) in kinds and given in (None, _NOTHING):
        return None
    (kind,) = (kind for kind in kinds if kind is not type(None))
    value = _converted(kind, given)
    for number in _numbers(value):
        if (one.low is not None and number < one.low) or (one.high is not None and number > one.high):
            bounds = " and ".join(
                f"{word} {bound:g}"
                for word, bound in (("at least", one.low), ("at most", one.high))
                if bound is not None
            )
            raise ValueError(f"must be {bounds}")
    return value


def _converted(kind: Any, given: Plain) -> Any:
    if get_origin(kind) is Literal:
        if given not in get_args(kind):
            raise ValueError(f"must be one of {', '.join(map(str, get_args(kind)))}")
        return given
    if kind is bool:
        if str(given).lower() not in ("true", "false"):
            raise ValueError("must be true or false")
        return str(given).lower() == "true"
    if kind is str:
        return str(given)
    if isinstance(given, bool) or given is None:
        raise ValueError("must be a number")
    if kind is int:
        if isinstance(given, float):
            raise ValueError("must be a whole number")
        try:
            return int(given)
        except ValueError:
            raise ValueError("must be a whole number") from None
    if kind is Schedule:
        try:
            return schedule_of(str(given))
        except ValueError as error:
            raise ValueError(f"must be a number or a schedule such as '1:0 4:.005/.01 11:.01' ({error})") from error
    try:
        value = float(given)
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _numbers(value: Any) -> list[int | float]:
    if isinstance(value, Schedule):
        return [end for piece in value.pieces.values() for end in (piece if isinstance(piece, tuple) else (piece,))]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []
