"""The one place where pickle is read: an NPZ with object arrays becomes a plain NPZ, once, when the user asks for it.

A pickle is a program. Reading one from a stranger lets that stranger do whatever the user may do, so every other reader
of this project refuses object arrays, and nobody but ``lvm-data import --trust-pickle`` calls this.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.scratch import Member, whole, write_npz
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.corpus import SCAN_ROWS
from lvm_gates.harness.files.npz_file import NpzFile

RISK = "reading an object array runs code that whoever made the file chose"
# Keys of the original metadata, under the names that sequence files are read by.
PUBLISHED_NAMES = {
    "article_index": "article_ids",
    "article_id": "article_ids",
    "target_chunk_index": "target_indices",
    "target_index": "target_indices",
}


def convert(path: Path, out: Path) -> list[str]:
    """Write the NPZ again without object arrays, and tell what became of each of those.

    An array of dictionaries becomes one member for each key that holds plain values; the original keys are renamed to
    the ones sequence files are read by. Any other object array is saved with the plain type of its values.

    Raises:
        UserError: an object array that no plain array can hold, or a file that cannot be read.
    """
    file = NpzFile.open(path)
    members: dict[str, Member] = {}
    told: list[str] = []
    objects = [name for name in file.members if file.dtype(name).hasobject]
    for name in file.members:
        if name not in objects:
            mapped = file.map(name)
            members[name] = Member(mapped.shape, mapped.dtype, _blocks(mapped))
    for name in objects:
        values = _unpickle(path, name)
        for key, array in _plain(path, name, values).items():
            if key not in members:
                members[key] = whole(array)
                told.append(f"{name} -> {key} ({array.dtype}, {array.shape})")
    write_npz(out, members)
    return told


def _unpickle(path: Path, name: str) -> Shaped[np.ndarray, "..."]:
    try:
        # The user asked for it with --trust-pickle: original files keep article and chunk numbers in an array of
        # dictionaries, which numpy can store in no other way. Nothing but this conversion may do so.
        with path.open("rb") as stream, np.load(stream, allow_pickle=True) as stored:
            return np.asarray(stored[name])
    except Exception as error:  # a pickle can raise anything
        raise UserError(
            f"{path}: member {name!r} cannot be unpickled ({type(error).__name__}: {error}); save it again as a plain "
            "array where it was made."
        ) from error


def _plain(path: Path, name: str, values: Shaped[np.ndarray, "..."]) -> dict[str, Shaped[np.ndarray, "..."]]:
    items = list(values.ravel())
    if not (items and all(isinstance(item, dict) for item in items)):
        array = _as_plain(values.tolist())
        if array is None:
            raise UserError(
                f"{path}: member {name!r} holds objects that no plain array can; save its numbers as a plain array "
                "where it was made."
            )
        return {name: array}
    # Dictionaries without a key are no rows of a table of that key.
    keys = [key for key in items[0] if all(key in item for item in items)]
    found: dict[str, Shaped[np.ndarray, ...]] = {}
    for key in keys:
        array = _as_plain([item[key] for item in items])
        if array is not None:
            found.setdefault(PUBLISHED_NAMES.get(str(key), str(key)), array)
    if not found:
        raise UserError(
            f"{path}: member {name!r} holds dictionaries that share no key with plain values; save its numbers as "
            "plain arrays where it was made."
        )
    return found


def _as_plain(values: Any) -> Shaped[np.ndarray, "..."] | None:
    try:
        array = np.array(values)
    except ValueError:  # rows of unequal length
        return None
    return array if array.dtype.kind in "biufU" else None


def _blocks(mapped: Shaped[np.ndarray, "..."]) -> Iterator[Shaped[np.ndarray, "..."]]:
    if mapped.ndim == 0:
        yield mapped
        return
    for part in slices(len(mapped), SCAN_ROWS // 16):
        yield mapped[part]
