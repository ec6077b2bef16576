"""NumPy scalars in a checkpoint, read as plain Python numbers without handing the file to NumPy.

Original checkpoints hold ``val_loss`` and parts of ``args`` as ``numpy.float64``. A pickle spells such a
scalar in three calls: make a dtype, set its state, read the scalar from bytes. Allow-listing NumPy's own
functions for that would let a hostile file build dtypes with object fields and have NumPy follow the file's
bytes as pointers. The stand-ins below accept the numeric dtypes only, and read the bytes themselves.
"""

from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np

NUMERIC_CODES = frozenset({"b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"})


class ScalarType:
    """Stands in for ``numpy.dtype`` while a checkpoint is read; keeps the code and the byte order."""

    def __init__(self, code: Any, align: Any = False, copy: Any = False) -> None:
        name = code.decode("ascii", "replace") if isinstance(code, bytes) else code
        if not isinstance(name, str) or name not in NUMERIC_CODES:
            raise UnpicklingError(f"a numpy scalar of type {name!r} is not a number")
        self.code = name
        self.byte_order = "<"

    def __setstate__(self, state: Any) -> None:
        # State of a numpy dtype: (version, byte order, ...); the rest describes arrays and structures.
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        self.byte_order = ">" if order in (">", b">") else "<"


def read_scalar(kind: Any, data: Any) -> float | int | bool:
    """Stands in for ``numpy.core.multiarray.scalar``: the number that ``data`` spells in type ``kind``."""
    if not isinstance(kind, ScalarType) or not isinstance(data, bytes):
        raise UnpicklingError("a numpy scalar is not spelled as one")
    dtype = np.dtype(kind.byte_order + kind.code)
    if len(data) != dtype.itemsize:
        raise UnpicklingError(f"a numpy scalar of {dtype.itemsize} bytes is spelled with {len(data)}")
    number: float | int | bool = np.frombuffer(data, dtype=dtype)[0].item()
    return number


# NumPy 2 renamed the module; files written by either version name their own.
SAFE_GLOBALS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (read_scalar, "numpy.core.multiarray.scalar"),
    (read_scalar, "numpy._core.multiarray.scalar"),
    (ScalarType, "numpy.dtype"),
]
