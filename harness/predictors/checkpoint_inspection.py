"""A checkpoint file looked over before torch reads it: is it whole, and does it ask for no more than it holds?

Nothing of the file is made, called or unpacked here. torch itself checks no checksum: a bit turned over in the weights
would load as weights.
"""

import mmap
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from lvm_gates.harness.base.errors import brief
from lvm_gates.harness.files.pickle_calls import SAVE_AGAIN, CheckpointCalls, Sized
from lvm_gates.harness.files.pickle_scan import Pairs, UnsoundError, scan
from lvm_gates.harness.files.verified import once

NOT_ONE = "is truncated or not a PyTorch checkpoint; copy or download it again"
# The hashes of a million articles take 40 MB of pickle; those of a corpus of 500,000 chunks are 8,447 (measured).
_LARGEST_PICKLE = 64 << 20
# Values after everything that is shared has been written out, as a report or a plain copy of the metadata does.
_MOST_VALUES = 2_000_000
# Letters that count as one more value.
_LETTERS = 64
# Ours are nested five deep (the state of an optimiser).
_DEEPEST = 32
# Weights may share data (tied embeddings), each as often as this.
_MOST_SHARED = 16
_SMALL = 1 << 24
_OLD_MAGIC = 0x1950A86A20F9469CFC6C


def inspect(path: Path) -> None:
    """Look a checkpoint over.

    Raises:
        UnsoundError: what is wrong with it.
        Exception: any other, where it is no file of ``torch.save``.
    """
    with path.open("rb") as stream:
        zipped = stream.read(4) == b"PK\x03\x04"
    found, calls = (_zipped if zipped else _old)(path)
    size = path.stat().st_size
    values, _, elements = _measure(found, {}, _DEEPEST)
    if values > _MOST_VALUES:
        raise UnsoundError(
            f"holds metadata of more than {_MOST_VALUES:,} values once they are written out; {SAVE_AGAIN}"
        )
    if sum(calls.promised.values()) > size:
        raise UnsoundError(NOT_ONE)
    if elements > max(_SMALL, _MOST_SHARED * size):
        raise UnsoundError(f"holds tensors of {elements:,} elements in {size:,} bytes; {SAVE_AGAIN}")


def _zipped(path: Path) -> tuple[Any, CheckpointCalls]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        root = names[0].partition("/")[0]
        twice = [name for name, count in Counter(names).items() if count > 1]
        strange = [info for info in infos if not info.filename.startswith(f"{root}/") or "\0" in info.orig_filename]
        if twice or strange or min(info.header_offset for info in infos) != 0:
            raise UnsoundError("is an archive that torch.save does not write; save it again")
        if packed := [info for info in infos if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x41]:
            raise UnsoundError(f"has a compressed or encrypted member ({brief(packed[0].filename)}); unpack it first")
        if any(info.compress_size != info.file_size for info in infos):
            raise UnsoundError(NOT_ONE)
        program = archive.getinfo(f"{root}/data.pkl")
        if program.file_size > _LARGEST_PICKLE:
            raise UnsoundError(f"holds metadata of {program.file_size >> 20} MB; {SAVE_AGAIN}")

        def check() -> None:
            if damaged := archive.testzip():
                raise UnsoundError(
                    f"is damaged: the checksum of {brief(damaged)} is not that of its bytes; copy or download it again"
                )

        once(path, "|".join(f"{info.filename} {info.header_offset} {info.CRC:08x}" for info in infos), check)
        prefix = f"{root}/data/"
        records = {info.filename.removeprefix(prefix): info.file_size for info in infos if prefix in info.filename}
        calls = CheckpointCalls(records)
        found, end = scan(archive.read(program), 0, calls)
        if end != program.file_size:
            raise UnsoundError(NOT_ONE)
        return found, calls


def _old(path: Path) -> tuple[Any, CheckpointCalls]:
    """The format from before PyTorch 1.6: five pickles, then the data. It has no checksum."""
    calls = CheckpointCalls(None)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found, at = [], 0
        for _ in range(5):
            part, at = scan(data, at, calls)
            found.append(part)
            if found[0] != _OLD_MAGIC:
                raise UnsoundError(NOT_ONE)
    if not isinstance(found[4], list) or set(found[4]) != set(calls.promised):
        raise UnsoundError(NOT_ONE)
    return found[3], calls


def _measure(value: Any, known: dict[int, tuple[int, int, int] | None], room: int) -> tuple[int, int, int]:
    """Values written out in full, levels, and elements of tensors; what is shared is measured once and counted often.

    ``known`` holds what has been measured, None for what holds itself if it is met again.
    """
    if isinstance(value, Sized):
        return 1, 1, value.elements
    if isinstance(value, str | bytes):
        return 1 + len(value) // _LETTERS, 1, 0
    if not isinstance(value, list | tuple | Pairs):
        return 1, 1, 0
    found = known.get(id(value), (0, 0, 0))
    if found is None or room == 0 or found[1] > room:
        raise UnsoundError(f"holds metadata that contains itself or is nested too deep; {SAVE_AGAIN}")
    if found[1]:
        return found
    known[id(value)] = None
    parts = [
        _measure(part, known, room - 1)
        for part in ([*value.keys, *value.values] if isinstance(value, Pairs) else value)
    ]
    values, levels, elements = 1, 1, 0
    for of, below, counted in parts:
        values, levels, elements = values + of, max(levels, below + 1), elements + counted
    known[id(value)] = (values, levels, elements)
    return values, levels, elements
