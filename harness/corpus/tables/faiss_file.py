"""A flat FAISS index as the matrix that it is, mapped: read by its layout, since FAISS's own reader trusts the file."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from lvm_gates.harness.base.errors import UserError, brief

_FLAT = (b"IxF2", b"IxFI", b"IxFl")
_WITH_IDS = (b"IxMp", b"IxM2")
# Dimension, vectors, two numbers without a meaning, whether it is trained, the metric.
_HEADER = struct.Struct("<iqqq?i")
# Metrics beyond the inner product and L2 have an argument.
_PLAIN_METRICS = (0, 1)
_MOST_DIM = 1 << 20


class FlatIndex(NamedTuple):
    """The content of an index.

    Attributes:
        vectors: (N, D), mapped.
        ids: (N,) of an index with ids, else None.
    """

    vectors: Float32[np.ndarray, "n d"]
    ids: Int[np.ndarray, " n"] | None


def read_flat_index(path: Path) -> FlatIndex:
    """Map an ``IndexFlat``, or an ``IndexIDMap`` of one.

    Raises:
        UserError: an index of another kind, or a damaged file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            return _read(path, stream, size)
        except (ValueError, struct.error) as error:
            raise UserError(
                f"{path}: no sound FAISS index ({brief(error)}); it may be truncated, copy it again."
            ) from error


def _read(path: Path, stream: IO[bytes], size: int) -> FlatIndex:
    kind = stream.read(4)
    outer = None
    if kind in _WITH_IDS:
        outer = _header(stream)
        kind = stream.read(4)
    if kind not in _FLAT:
        raise UserError(
            f"{path}: is no flat FAISS index (its kind is {brief(repr(kind))}), and its vectors may be packed with a "
            "loss; save the embeddings themselves, as .npy say."
        )
    dim, count = _header(stream)
    if outer not in (None, (dim, count)):
        raise ValueError("its ids are for another index")
    (numbers,) = struct.unpack("<Q", stream.read(8))
    at = stream.tell()
    ends = at + 4 * dim * count
    if numbers != dim * count or ends > size:
        raise ValueError("it ends before its vectors do")
    ids = None
    if outer is not None:
        stream.seek(ends)
        (listed,) = struct.unpack("<Q", stream.read(8))
        if listed != count or ends + 8 + 8 * count != size:
            raise ValueError("it has not one id a vector")
        ids = np.fromfile(stream, dtype="<i8", count=count)
    elif ends != size:
        raise ValueError("something follows its vectors")
    mapped: Callable[..., Float32[np.ndarray, "n d"]] = np.memmap
    vectors = mapped(path, dtype="<f4", mode="r", offset=at, shape=(count, dim))
    return FlatIndex(vectors, None if ids is None else ids.astype(np.int64))


def _header(stream: IO[bytes]) -> tuple[int, int]:
    dim, count, _, _, _, metric = _HEADER.unpack(stream.read(_HEADER.size))
    if not (0 < dim <= _MOST_DIM and 0 < count < 2**40):
        raise ValueError(f"{count} vectors of {dim} dimensions")
    if metric not in _PLAIN_METRICS:
        stream.read(4)
    return dim, count
