"""Records: the typed, immutable pieces that results are made of, in memory and in ``scorecard.json`` alike.

A record is written as a JSON object under the names of its fields (or those that `msgspec.field` gives them), and read
back with every type and bound checked. A number that is not defined is NaN in memory and null in JSON.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

# Beyond what any metric, count or limit can be; a float prints it in full.
LARGEST = 1e15
Count = Annotated[int, msgspec.Meta(ge=0, le=int(LARGEST))]
Finite = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
if TYPE_CHECKING:
    Number = float
else:
    Number = Finite | None
    """Written as null where it is NaN."""


class Record(msgspec.Struct, frozen=True):
    """A piece of a scorecard."""

    def __post_init__(self) -> None:
        # What JSON calls null is NaN wherever the field is a plain number.
        for name in type(self)._numbers():
            if getattr(self, name) is None:
                msgspec.structs.force_setattr(self, name, math.nan)

    def __getitem__(self, name: str) -> Any:
        """A field by its name in ``scorecard.json``, as the profiles' paths spell it."""
        names = type(self).__struct_encode_fields__
        if name not in names:
            raise KeyError(name)
        return getattr(self, self.__struct_fields__[names.index(name)])

    @classmethod
    def _numbers(cls) -> tuple[str, ...]:
        """The fields that are `Number`."""
        found = _NUMBERS.get(cls)
        if found is None:
            hints = {f.name: f.type for f in msgspec.structs.fields(cls)}
            found = _NUMBERS[cls] = tuple(name for name, hint in hints.items() if hint == Number)
        return found


_NUMBERS: dict[type[Record], tuple[str, ...]] = {}


def jsonable(value: Any) -> Any:
    """Only what JSON knows: records become objects, NaN and infinity null, numpy's scalars Python's, the rest text."""
    if isinstance(value, msgspec.Struct):
        return {name: jsonable(item) for name, item in _written(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def _written(record: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    omits = record.__struct_config__.omit_defaults
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if not (omits and value == _default(field)):
            yield field.encode_name, value


def _default(field: msgspec.structs.FieldInfo) -> Any:
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()
