"""The undamaged NPZ files, and members written by hand."""

import hashlib
import pickle
import struct
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np

ARTICLES, CHUNKS, DIM, CONTEXT = 8, 12, 8, 3
Arrays = dict[str, Any]
# What was done, what a reader may do with it, and the content of the file.
Made = tuple[str, Any, bytes]


@cache
def article_arrays() -> Arrays:
    """The undamaged article file."""
    vectors = np.random.default_rng(0).standard_normal((ARTICLES * CHUNKS, DIM)).astype(np.float32)
    return {
        "embeddings": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "article_ids": np.repeat(np.arange(ARTICLES), CHUNKS),
        "chunk_indices": np.tile(np.arange(CHUNKS), ARTICLES),
    }


@cache
def sequence_arrays() -> Arrays:
    """Every window of the article file, as the undamaged sequence file."""
    stored = article_arrays()["embeddings"]
    last = [a * CHUNKS + c for a in range(ARTICLES) for c in range(CONTEXT, CHUNKS)]
    return {
        "contexts": np.stack([stored[row - CONTEXT : row] for row in last]),
        "targets": stored[last],
        "article_ids": article_arrays()["article_ids"][last],
        "target_indices": article_arrays()["chunk_indices"][last],
    }


def digest(*arrays: Any) -> str:
    """Of contents, whatever the types they are kept in."""
    found = hashlib.sha256()
    for array in arrays:
        kind = np.float32 if array.dtype.kind == "f" else np.int64
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=kind)
        found.update(str(array.shape).encode() + array.tobytes())
    return found.hexdigest()


def npy(array: Any, **header: Any) -> bytes:
    """One member; with a header of one's own where one is given."""
    out = BytesIO()
    if not header and np.asarray(array).dtype.hasobject:
        said = {"descr": "|O", "fortran_order": False, "shape": np.asarray(array).shape}
        np.lib.format.write_array_header_1_0(out, said)
        return out.getvalue() + pickle.dumps(array, protocol=4)
    if not header:
        np.lib.format.write_array(out, np.asarray(array), allow_pickle=False)
        return out.getvalue()
    said = {"descr": repr(array.dtype.str), "fortran_order": "False", "shape": repr(array.shape)} | header
    items = ", ".join(f"'{key}': {said[key]}" for key in ("descr", "fortran_order", "shape"))
    text = said.get("text") or f"{{{items}}}"
    encoded = text.encode() + b"\n"
    length = header.get("length", len(encoded))
    version = header.get("version", (2, 0))
    return b"\x93NUMPY" + bytes(version) + struct.pack("<I", length & 0xFFFFFFFF) + encoded + array.tobytes()


def members_of(arrays: Arrays) -> list[tuple[str, bytes]]:
    """What `np.savez` puts into the archive."""
    return [(f"{name}.npy", npy(array)) for name, array in arrays.items()]
