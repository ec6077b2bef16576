"""The text of each chunk beside its vector, in a corpus folder: one blob of UTF-8 and where each chunk begins in it.

``texts.utf8`` holds the chunks in the order of the vectors, ``texts.npy`` N+1 offsets into it. Both are mapped, so
that a report that shows ten windows reads ten windows. ``corpus.json`` lists them under ``text`` with their digests; a
corpus without that entry has no text, and everything but the showing of sentences works as it did.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from jaxtyping import Int, UInt8

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.files.json_file import read_json
from lvm_gates.harness.files.npz_file import map_npy
from lvm_gates.harness.files.verified import once

TEXT = "text"
"""The entry of ``corpus.json``."""
OFFSETS_FILE, BLOB_FILE = "texts.npy", "texts.utf8"
_LARGEST_RECORD = 64 << 20
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ChunkText:
    """The texts of a corpus by row: ``text[row]`` is what the vector of that row was made from.

    Attributes:
        path: the corpus folder.
        offsets: (N+1,) where each chunk begins in the blob; the last is its size.
        blob: (bytes,) all chunks in UTF-8, one after another, mapped.
    """

    path: Path
    offsets: Int[np.ndarray, " n1"]
    blob: UInt8[np.ndarray, " bytes"]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: SupportsIndex) -> str:
        """The text of one row of the corpus; "" where the source had none for it.

        Raises:
            IndexError: there is no such row.
        """
        at = index(row)
        if not 0 <= at < len(self):
            raise IndexError(f"row {at} of {len(self)} chunks")
        part = self.blob[self.offsets[at] : self.offsets[at + 1]]
        return part.tobytes().decode("utf-8", "replace")


def write_chunk_text(folder: Path, texts: Iterable[str]) -> dict[str, Any]:
    """Write the texts of a corpus, in the order of its rows, as they come.

    Returns:
        What ``corpus.json`` must hold under `TEXT`.
    """
    sizes: list[int] = []
    digest = hashlib.sha256()
    with atomic_write(folder / BLOB_FILE) as stream:
        for text in texts:
            # Half of a surrogate pair, as a JSON escape may bring, has no UTF-8.
            data = text.encode("utf-8", "replace")
            sizes.append(len(data))
            digest.update(data)
            stream.write(data)
    offsets = np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))]).astype("<i8")
    with atomic_write(folder / OFFSETS_FILE) as stream:
        np.save(stream, offsets, allow_pickle=False)
    return {
        "bytes": int(offsets[-1]),
        "sha256": digest.hexdigest(),
        "offsets_sha256": hashlib.sha256(offsets.tobytes()).hexdigest(),
    }


def remove_chunk_text(folder: Path) -> None:
    """Remove the texts of a corpus that is being replaced by one without."""
    for name in (BLOB_FILE, OFFSETS_FILE):
        (folder / name).unlink(missing_ok=True)


def open_chunk_text(folder: Path) -> ChunkText | None:
    """The texts of a corpus folder; None where it records none.

    The blob is read through once for its digest, and that it was sound is remembered (`harness.files.verified`).

    Raises:
        UserError: no corpus, or texts that are missing, damaged or not those that were recorded.
    """
    try:
        meta = read_json(folder / "corpus.json", _LARGEST_RECORD)
        record = meta.get(TEXT) if isinstance(meta, dict) else None
        if record is None:
            return None
        return _open(folder, record, meta.get("chunks"))
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(
            f"{folder}: the chunks' text cannot be read ({brief(error)}); copy the corpus again, or remove the entry "
            f'"{TEXT}" from corpus.json to go without.'
        ) from error


def _open(folder: Path, record: Mapping[str, Any], chunks: int) -> ChunkText:
    offsets = map_npy(folder / OFFSETS_FILE)
    if offsets.ndim != 1 or offsets.dtype != np.dtype("<i8") or len(offsets) != chunks + 1:
        raise ValueError(f"{OFFSETS_FILE} is {offsets.dtype} of shape {offsets.shape}, and there are {chunks} chunks")
    if hashlib.sha256(offsets.tobytes()).hexdigest() != record["offsets_sha256"]:
        raise ValueError(f"{OFFSETS_FILE} is not the one that was recorded")
    blob = folder / BLOB_FILE
    size = blob.stat().st_size
    if offsets[0] != 0 or offsets[-1] != size or (np.diff(offsets) < 0).any():
        raise ValueError(f"{OFFSETS_FILE} and {BLOB_FILE} do not fit one another")
    once(blob, f"text|{record['sha256']}", lambda: _check_blob(blob, record["sha256"]))
    mapped = np.memmap(blob, dtype=np.uint8, mode="r") if size else np.empty(0, dtype=np.uint8)
    return ChunkText(folder, offsets, mapped)


def _check_blob(blob: Path, wanted: str) -> None:
    digest = hashlib.sha256()
    with blob.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != wanted:
        raise ValueError(f"{BLOB_FILE} is not the one that was recorded")
