"""The calls a checkpoint may make, judged by their arguments before any is made."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from lvm_gates.harness.base.errors import brief
from lvm_gates.harness.files.numpy_scalars import NUMERIC_CODES
from lvm_gates.harness.files.pickle_scan import KEYS, Pairs, UnsoundError

SAVE_AGAIN = "save it again as a dictionary of tensors, numbers and text"
_MOST_AXES = 16
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3")
_CALLED = frozenset(
    {
        *_TENSORS,
        "torch._utils._rebuild_parameter",
        "torch.Size",
        "torch.device",
        "collections.OrderedDict",
        "_codecs.encode",
        "builtins.set",
        "builtins.complex",
        "builtins.bytearray",
        "numpy.dtype",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
    }
)


class Name(NamedTuple):
    """A name that may stand in a checkpoint."""

    full: str


class Storage(NamedTuple):
    """A run of bytes in the file, and how many bytes one element takes."""

    key: str
    elements: int
    item_size: int


class Sized(NamedTuple):
    """A tensor: only how many elements it has."""

    elements: int


class Opaque(NamedTuple):
    """What else a call gives: a number of numpy, a device."""

    function: str


class CheckpointCalls:
    """See `harness.files.pickle_scan.Calls`.

    Args:
        records: bytes of each storage in the file by its key; None where they follow the pickle, as in files from
            before PyTorch 1.6, and so are counted only.

    Attributes:
        promised: bytes of each storage that was named.
    """

    def __init__(self, records: Mapping[str, int] | None) -> None:
        self.records = records
        self.promised: dict[str, int] = {}

    def name(self, module: str, name: str) -> Name:
        # Pickles for Python 2, which torch writes to this day, call the module so.
        module = "builtins" if module == "__builtin__" else module
        full = f"{module}.{name}"
        if full not in _CALLED and _item_size(full) is None:
            raise code(full)
        return Name(full)

    def call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise code("a call of what is no function")
        if function.full in _TENSORS:
            return self._tensor(function.full, *arguments)
        match function.full, arguments:
            case "torch._utils._rebuild_parameter", (Sized() as data, *_):
                return data
            case "collections.OrderedDict", ():
                return Pairs()
            case "torch.Size", (tuple() as sizes,) if all(type(size) is int for size in sizes):
                return sizes
            case "torch.device", (str() as kind, *index) if len(kind) < 32 and all(type(i) is int for i in index):
                return Opaque(function.full)
            # Other codecs of Python take quadratic time, or import a module of the name that is asked for.
            case "_codecs.encode", (str() as text, "latin1" | "latin-1"):
                return text.encode("latin-1")
            case "builtins.bytearray", (bytes() as content,):
                return content
            case "builtins.bytearray", (str() as text, "latin1" | "latin-1"):
                return text.encode("latin-1")
            case "builtins.complex", (float() | int(), float() | int()):
                return Opaque(function.full)
            case "builtins.set", (list() as items,) if all(isinstance(item, KEYS) for item in items):
                return list(items)
            case "numpy.dtype", (str() as kind, *rest) if kind in NUMERIC_CODES and all(type(f) is bool for f in rest):
                return Opaque(function.full)
            case (("numpy.core.multiarray.scalar" | "numpy._core.multiarray.scalar"), (Opaque(), bytes())):
                return Opaque(function.full)
        raise code(function.full)

    def build(self, made: Any, state: Any) -> None:
        if isinstance(made, Pairs) and isinstance(state, Pairs):
            made.put("attributes", state)  # as the state dict of a module has its versions
        elif not (isinstance(made, Opaque) and isinstance(state, tuple)):
            raise code("state of what is no dictionary")

    def storage(self, reference: Any) -> Storage:
        match reference:
            case ("storage", Name(kind), str() as key, str() as location, int() as elements, *view):
                item_size = _item_size(kind)
                if item_size is not None and not isinstance(elements, bool) and not any(view):
                    return self._stored(key, location, elements, item_size)
        raise UnsoundError(f"refers to data in a way that torch.save does not; {SAVE_AGAIN}")

    def _stored(self, key: str, location: str, elements: int, item_size: int) -> Storage:
        size = elements * item_size
        if self.records is not None and self.records.get(key) != size:
            raise UnsoundError(
                f"names {size} bytes of data {brief(key)!r} that are not there; copy or download it again"
            )
        if elements < 0 or self.promised.setdefault(key, size) != size:
            raise UnsoundError(f"contradicts itself about data {brief(key)!r}; copy or download it again")
        if location == "meta":
            raise UnsoundError(f"holds a tensor without data; {SAVE_AGAIN}")
        return Storage(key, elements, item_size)

    def _tensor(self, function: str, *arguments: Any) -> Sized:
        storage, offset, size, stride = arguments[:4]
        numbers = [offset, *size, *stride]
        if not isinstance(storage, Storage) or not all(type(n) is int and n >= 0 for n in numbers):
            raise UnsoundError(f"holds a tensor of impossible size; {SAVE_AGAIN}")
        if len(size) != len(stride) or len(size) > _MOST_AXES:
            raise UnsoundError(f"holds a tensor of impossible shape; {SAVE_AGAIN}")
        kept = storage.elements
        if function.endswith("_v3"):  # with bytes as storage, and the type beside
            item_size = _item_size(arguments[6].full)
            kept = kept * storage.item_size // (item_size or 1)
        elements = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        # A view that repeats its elements is small in the file and takes its full size when it is used.
        if elements and (last >= kept or elements > kept):
            raise UnsoundError(
                f"holds a tensor of {elements:,} elements of which {kept:,} are in the file; save it again with "
                "contiguous tensors"
            )
        return Sized(elements)


class CodeError(UnsoundError):
    """Something in a file that is no data.

    Args:
        name: of it.
    """

    def __init__(self, name: str) -> None:
        self.name = brief(name)
        super().__init__(f"holds code or a Python object ({self.name}), which was not run or loaded; {SAVE_AGAIN}")


def code(name: str) -> UnsoundError:
    """The refusal of something that is no data."""
    return CodeError(name)


def _item_size(full: str) -> int | None:
    """Bytes of an element of a type or storage of torch; None for any other name."""
    if full == "torch.storage.UntypedStorage":
        return 1
    match = re.fullmatch(r"torch\.(\w+)", full)
    if match is None:
        return None
    name = _STORAGES.get(match[1], match[1])
    found = getattr(torch, name, None)
    return found.itemsize if isinstance(found, torch.dtype) else None


_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
