"""What a JSON value must look like, said once and checked before anything is read from it."""

from collections.abc import Callable, Mapping
from typing import Any

from lvm_gates.harness.base.errors import brief

Shape = Callable[[Any, str], None]
# Beyond what any figure, count or limit can be; a float prints it in full.
LARGEST = 1e15


class ShapeError(ValueError):
    """The first place that is not as it must be, in words that can follow "the file is damaged"."""


def text(value: Any, place: str) -> None:
    """A string."""
    if not isinstance(value, str):
        raise _wrong(value, place, "text")


def flag(value: Any, place: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(value, place, "true or false")


def whole(value: Any, place: str) -> None:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
        raise _wrong(value, place, "a whole number")


def number(value: Any, place: str) -> None:
    """A finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST:
        raise _wrong(value, place, "a number")


def one_of(*known: str) -> Shape:
    """One of some words."""

    def check(value: Any, place: str) -> None:
        if value not in known:
            raise _wrong(value, place, " or ".join(known))

    return check


def maybe(shape: Shape) -> Shape:
    """Null, or of a shape."""
    return lambda value, place: None if value is None else shape(value, place)


def either(one: Shape, other: Shape) -> Shape:
    """Of the first shape, or else of the second."""

    def check(value: Any, place: str) -> None:
        try:
            one(value, place)
        except ShapeError:
            other(value, place)

    return check


def listed(shape: Shape) -> Shape:
    """A list whose items have a shape."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list):
            raise _wrong(value, place, "a list")
        for i, item in enumerate(value):
            shape(item, f"{place}/{i}")

    return check


def mapped(shape: Shape) -> Shape:
    """An object whose values have a shape, whatever their names."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, place, "an object")
        for name, item in value.items():
            shape(item, f"{place}/{brief(name)}")

    return check


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """An object with some fields; fields that are not named may hold anything."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, place, "an object")
        for name in required:
            if name not in value:
                raise ShapeError(f"{place or 'it'} has no {name!r}")
        for name, shape in {**required, **(optional or {})}.items():
            if name in value:
                shape(value[name], f"{place}/{name}".lstrip("/"))

    return check


def _wrong(value: Any, place: str, wanted: str) -> ShapeError:
    return ShapeError(f"{place or 'it'} is {brief(_short(value))} and must be {wanted}")


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "null" if value is None else repr(value[:60] if isinstance(value, str) else value)
