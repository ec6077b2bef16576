"""Arrays larger than memory, and NPZ members written a block at a time."""

import math
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from lvm_gates.harness.base.atomic import atomic_write


def scratch_array(beside: Path, shape: tuple[int, ...], dtype: str) -> Shaped[np.ndarray, "..."]:
    """An array kept in a nameless file on the disk of ``beside``; it is gone with the last reference to it.

    Raises:
        OSError: there is no room for it.
    """
    parent = beside.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    # numpy keeps a duplicate of the handle, so the file outlives this one and no name is left behind by a kill.
    with tempfile.TemporaryFile(dir=parent) as stream:
        # A mapped file with holes would end the process with a bus error when the disk is full: ask for the room now.
        _reserve(stream.fileno(), math.prod(shape) * np.dtype(dtype).itemsize)
        return np.memmap(stream, dtype=dtype, mode="w+", shape=shape)


def _reserve(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        if size:
            os.posix_fallocate(handle, 0, size)
        return
    zeros = bytes(1 << 20)  # macOS
    for begin in range(0, size, len(zeros)):
        os.write(handle, zeros[: size - begin])


class Member(NamedTuple):
    """One array of an NPZ, given in blocks along its first axis."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Iterable[Shaped[np.ndarray, "..."]]


def whole(array: Shaped[np.ndarray, "..."]) -> Member:
    """An array as one block."""
    return Member(array.shape, array.dtype, [array])


def write_npz(path: Path, members: Mapping[str, Member]) -> None:
    """Write an uncompressed NPZ atomically; the memory used is one block."""
    with atomic_write(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as out:
                header = {
                    "descr": np.lib.format.dtype_to_descr(member.dtype),
                    "fortran_order": False,
                    "shape": member.shape,
                }
                np.lib.format.write_array_header_1_0(out, header)
                for block in member.blocks:
                    out.write(np.ascontiguousarray(block, dtype=member.dtype).tobytes())
