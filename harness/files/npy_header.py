"""The header of an NPY file or member, believed only as far as the bytes behind it go."""

import io
import math
import warnings
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

# An array of numbers needs 128 bytes, and numpy parses 10,000 at most; a file may claim four gigabytes.
_LONGEST = 1 << 14
_MOST_AXES = 8
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # differs in the letters of field names, which are not read here
}


@runtime_checkable
class Stream(Protocol):
    """What is read from: a file, or a member of an archive."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes."""
        ...


class Header(NamedTuple):
    """What an NPY says of its array.

    Attributes:
        shape: of the array.
        fortran: whether the first axis runs fastest.
        dtype: of one item.
        offset: bytes of the header; the array follows.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[np.generic]
    offset: int

    @property
    def size(self) -> int:
        """Bytes of header and array."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: Stream, size: int) -> Header:
    """Read the header of an NPY.

    Args:
        stream: at its beginning.
        size: bytes that are there, header included.

    Raises:
        Exception: any kind, since a parser of hostile bytes may raise anything; also where the array that is described
            is not what ``size`` leaves room for, byte by byte.
    """
    head = io.BytesIO(stream.read(_LONGEST))
    version = np.lib.format.read_magic(head)
    if version not in _READERS:
        raise ValueError(f"NPY version {version} is unknown")
    with warnings.catch_warnings():
        # Headers written under Python 2 are read with a warning, which is no news to a reader of this file.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = _READERS[version](head)
    header = Header(shape, fortran, dtype, head.tell())
    if dtype.hasobject:
        return header  # refused by every caller, with the way to convert it
    if len(shape) > _MOST_AXES or not all(type(axis) is int and axis >= 0 for axis in shape):
        raise ValueError("its shape is not that of an array")
    if dtype.itemsize == 0 or dtype.subdtype is not None:
        raise ValueError(f"an item of type {dtype} is no number and no text")
    if header.size != size:
        raise ValueError(f"it describes {header.size} bytes and {size} are there")
    return header
