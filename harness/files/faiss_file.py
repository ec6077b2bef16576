"""A FAISS index that somebody else wrote: what it is, from its first bytes; the vectors of a flat one, in place.

An index is plain data and reading one runs nothing of its own. What is not supported is refused by its first four
bytes, before FAISS's reader sees it; a flat index is read here and never by that reader.
"""

import os
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError

# Of an index's first bytes: a name of four letters, dimensions, vectors, two numbers without a meaning, whether it is
# trained, the metric. A metric with an argument (2 and above) is followed by it; none of those is read here.
_HEADER = struct.Struct("<4siqqqBi")
_COUNT = struct.Struct("<Q")
METRICS = {0: "inner product", 1: "Euclidean distance"}
"""Those whose order of unit vectors is that of the cosine."""

_READ = {"IxFI": "Flat", "IxF2": "Flat", "IxFl": "Flat", "IwFl": "IVF", "IHNf": "HNSW"}
# Common ones that hold something else than the vectors.
_COMPRESSED = ("IxSQ", "IxPQ", "IwSq", "IwSQ", "IwPQ", "IwPf", "IwQR", "IHNs", "IHNp", "IHN9", "IxRE", "IxFR")
_WRAPPED = {"IxMp": "IDMap", "IxM2": "IDMap2", "IxPT": "a transformation before the index"}


class FaissHeader(NamedTuple):
    """What an index says of itself.

    Attributes:
        kind: "Flat", "IVF" or "HNSW".
        dim: of the vectors.
        total: how many there are.
        metric: by its name in `METRICS`.
        path: of the file.
    """

    kind: str
    dim: int
    total: int
    metric: str
    path: Path


def read_header(path: Path) -> FaissHeader:
    """Read the first bytes of an index.

    Raises:
        UserError: not an index, or one whose vectors or metric are not those of a flat, IVF or HNSW index.
    """
    with path.open("rb") as stream:
        begin = stream.read(_HEADER.size)
    name = begin[:4].decode("latin-1")
    if len(begin) < _HEADER.size or name not in {*_READ, *_COMPRESSED, *_WRAPPED}:
        raise UserError(f"--bank=faiss:{path}: is no FAISS index of kind Flat, IVF or HNSW; give one that is.")
    _, dim, total, _, _, _, metric = _HEADER.unpack(begin)
    if name not in _READ:
        what = _WRAPPED.get(name)
        fault = f"wraps its vectors ({what})" if what else "holds compressed vectors, which have other cosines"
        raise UserError(f"--bank=faiss:{path}: {fault}; give an index of kind Flat, IVF,Flat or HNSW,Flat.")
    if metric not in METRICS:
        raise UserError(
            f"--bank=faiss:{path}: is of metric {metric}; ranks are by cosine, so build it on unit vectors with "
            "METRIC_INNER_PRODUCT or METRIC_L2."
        )
    if dim < 1 or total < 1:
        raise UserError(f"--bank=faiss:{path}: holds no vectors; add some to it.")
    return FaissHeader(_READ[name], dim, total, METRICS[metric], path)


def flat_vectors(header: FaissHeader) -> Float[np.ndarray, "n d"]:
    """The vectors of a flat index, float32, mapped from the file.

    Raises:
        UserError: the file is shorter or longer than its header says.
    """
    begin = _HEADER.size
    with header.path.open("rb") as stream:
        stream.seek(begin)
        (count,) = _COUNT.unpack(stream.read(_COUNT.size).ljust(_COUNT.size, b"\0"))
        size = os.fstat(stream.fileno()).st_size
    begin += _COUNT.size
    if count != header.total * header.dim or size != begin + 4 * count:
        raise UserError(
            f"--bank=faiss:{header.path}: says {header.total:,} vectors of {header.dim} dimensions and has {size:,} "
            "bytes; write the index again."
        )
    return np.memmap(header.path, dtype="<f4", mode="r", offset=begin, shape=(header.total, header.dim))
