"""What one attempt of the fuzz is, and the damage that any file can take."""

import os
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

# "refuse": reading it is a defect. "same": it may be refused; what is read must be what was written. "any": whatever is
# read, it is what the file says (hostile values rather than damage), so only the manner of a refusal counts.
Expected = Literal["refuse", "same", "any"]
Rng = np.random.Generator


class Planted:
    """Unpickled, it leaves a file: the proof that code ran."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


@dataclass(frozen=True)
class Case:
    """One damaged or hostile input.

    Attributes:
        name: what was done to it.
        expected: what a reader may do with it.
        read: hands it to the real entry points; returns a digest of what was read, or None where nothing is compared.
        truth: the digest of the undamaged file.
        slow: seconds that are too many.
    """

    name: str
    expected: Expected
    read: Callable[[], str | None]
    truth: str | None = None
    slow: float = 3.0


def damaged(content: bytes, rng: Rng) -> tuple[str, bytes]:
    """Damage of the kind that disks, copies and editors do, anywhere in the file."""
    data = bytearray(content)
    at = int(rng.integers(len(data)))
    length = int(rng.integers(1, 64))
    kind = rng.choice(["flip", "flip", "flip", "truncate", "zeros", "noise", "cut", "repeat", "append", "prepend"])
    if kind == "flip":
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == "truncate":
        del data[at:]
    elif kind == "zeros":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif kind == "noise":
        data[at : at + length] = rng.bytes(len(data[at : at + length]))
    elif kind == "cut":
        del data[at : at + length]
    elif kind == "repeat":
        data[at:at] = data[at : at + length]
    elif kind == "append":
        data += rng.bytes(length)
    else:
        data[:0] = rng.bytes(length)
    return f"{kind} at {at / len(content):.0%}", bytes(data)


def flipped(content: bytes, begin: int, end: int, rng: Rng) -> bytes:
    """One bit of a stretch of bytes turned over."""
    data = bytearray(content)
    data[int(rng.integers(begin, end))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def zip_of(members: Sequence[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of members, which may share a name."""
    out = BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            with archive.open(info, "w") as stream:
                stream.write(content)
    return out.getvalue()


def directory_entries(content: bytes) -> list[int]:
    """Where the central directory entries of a zip archive begin."""
    found, at = [], content.find(b"PK\x01\x02")
    while at >= 0:
        found.append(at)
        at = content.find(b"PK\x01\x02", at + 4)
    return found


# Field of a directory entry -> offset there, offset in the local header (None where it has none), struct code.
FIELDS: dict[str, tuple[int, int | None, str]] = {
    "flags": (8, 6, "H"),
    "method": (10, 8, "H"),
    "crc": (16, 14, "I"),
    "compressed size": (20, 18, "I"),
    "size": (24, 22, "I"),
    "header offset": (42, None, "I"),
}


def with_field(content: bytes, member: int, field: str, value: int) -> bytes:
    """The archive with one field of one member set, in the directory and in the local header."""
    data = bytearray(content)
    entry = directory_entries(content)[member]
    here, there, code = FIELDS[field]
    local = struct.unpack_from("<I", data, entry + 42)[0]
    struct.pack_into(f"<{code}", data, entry + here, value)
    if there is not None:
        struct.pack_into(f"<{code}", data, local + there, value)
    return bytes(data)


def zeros_compressed(megabytes: int, head: bytes = b"") -> tuple[bytes, int, int]:
    """Deflate data that unpacks to ``head`` and zeros; with its CRC and its unpacked size."""
    import zlib

    packer, block = zlib.compressobj(9, zlib.DEFLATED, -15), bytes(1 << 20)
    parts, crc = [packer.compress(head), packer.flush(zlib.Z_FULL_FLUSH)], zlib.crc32(head)
    again = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(megabytes):
        parts.append(again)
        crc = zlib.crc32(block, crc)
    return b"".join(parts) + packer.flush(), crc, len(head) + (megabytes << 20)


def raw_zip(name: str, packed: bytes, crc: int, size: int, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of one member written by hand, so that it may say what it likes."""
    encoded = name.encode()
    common = struct.pack("<HHHHHIIIHH", 20, 0, method, 0, 0x21, crc, len(packed), size, len(encoded), 0)
    local = b"PK\x03\x04" + common + encoded
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + encoded
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local) + len(packed), 0)
    return local + packed + entry + end
