"""An NPZ whose members are mapped or read one by one, without pickle or trust in what the file says of itself.

Members that were stored uncompressed (``np.savez``) are memory-mapped in place, their checksum having been checked once
(`harness.files.verified`); compressed members (``np.savez_compressed``) are unpacked once, as a stream, into the cache
folder and mapped there.
"""

import hashlib
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.cache import cache_dir, trim
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.files.npy_header import Header, read_header
from lvm_gates.harness.files.verified import once

_BLOCK = 1 << 20
_NAMES_SHOWN = 8
# What unpacked members may take on the disk, the one in use apart: 584,545 chunks at 768 dimensions take 1.8 GB.
_UNPACKED = 8 << 30
# Deflate packs zeros 1,030 times, and embeddings not even twice: 90 % of their size is left (float32, three corpora).
# Runs of equal article ids pack well, but it takes 33 million chunks of them to reach the size.
BOMB_SIZE, BOMB_RATIO = 256 << 20, 100


@dataclass(frozen=True)
class NpzFile:
    """An NPZ opened for reading its members.

    Attributes:
        path: where it is.
        members: names of its arrays.
    """

    path: Path
    members: tuple[str, ...]

    @classmethod
    def open(cls, path: Path) -> "NpzFile":
        """List the members.

        Raises:
            UserError: missing, truncated, not an NPZ, or ambiguous about its members.
        """
        if not is_file(path):
            raise UserError(f"{path}: no such NPZ file; check the path.")
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except Exception as error:  # a parser of hostile bytes may raise anything
            raise UserError(
                f"{path}: not a readable NPZ file ({brief(error)}); it may be truncated, copy it again."
            ) from error
        # zipfile ends a name at its first NUL, by which two members can pass for one.
        if any("\0" in info.orig_filename for info in infos):
            raise UserError(f"{path}: a member's name holds a NUL; no NPZ is written so, make the file again.")
        name, count = Counter(info.filename for info in infos).most_common(1)[0] if infos else ("", 0)
        if count > 1:
            raise UserError(f"{path}: holds member {brief(name)!r} {count} times; make the file again.")
        return cls(path, tuple(info.filename.removesuffix(".npy") for info in infos))

    def find(self, candidates: Sequence[str]) -> str | None:
        """The first of ``candidates`` that the file holds."""
        return next((name for name in candidates if name in self.members), None)

    def require(self, candidates: Sequence[str], what: str) -> Shaped[np.ndarray, "..."]:
        """Map the first member of ``candidates`` that is there.

        Raises:
            UserError: none is there, or it needs pickle.
        """
        name = self.find(candidates)
        if name is None:
            shown = [brief(member) for member in self.members[:_NAMES_SHOWN]]
            more = len(self.members) - len(shown)
            found = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
            raise UserError(
                f"{self.path}: no {what} (looked for {', '.join(candidates)}; found {brief(found) or 'nothing'}); save "
                "them under one of these names."
            )
        return self.map(name)

    def dtype(self, name: str) -> np.dtype[np.generic]:
        """The type of one member, read from its header alone.

        Raises:
            UserError: the member cannot be read.
        """
        with self._told(name), zipfile.ZipFile(self.path) as archive:
            return self._header(archive, name)[1].dtype

    def map(self, name: str) -> Shaped[np.ndarray, "..."]:
        """Memory-map one member.

        Raises:
            UserError: the member cannot be read, is damaged, or needs pickle.
        """
        with self._told(name), zipfile.ZipFile(self.path) as archive:
            info, header = self._header(archive, name)
            self._refuse_objects(name, header)
            if info.compress_type == zipfile.ZIP_STORED:
                source, base = self.path, self._checked_data_offset(info)
            elif info.file_size > max(BOMB_SIZE, BOMB_RATIO * info.compress_size):
                raise ValueError(f"{info.compress_size >> 10} KB unpack to {info.file_size >> 20} MB")
            else:
                source, base = self._unpacked(archive, info), 0
            return map_array(source, header, base)

    def read(self, names: Sequence[str], most: int) -> dict[str, Shaped[np.ndarray, "..."]]:
        """Read members into memory.

        Args:
            names: of members.
            most: bytes that each may have.

        Raises:
            UserError: one cannot be read, is damaged, too large, or needs pickle.
        """
        found = {}
        with self.path.open("rb") as stream:
            archive = None
            for name in names:
                with self._told(name):
                    archive = archive or zipfile.ZipFile(stream)
                    found[name] = self._content(archive, name, most)
        return found

    def _content(self, archive: zipfile.ZipFile, name: str, most: int) -> Shaped[np.ndarray, "..."]:
        info, header = self._header(archive, name)
        if header.dtype.hasobject:
            raise ValueError("it is an object array, which needs pickle and could run code")
        if header.size > most:
            raise ValueError(f"it has {header.size} bytes where no more than {most} make sense")
        with archive.open(info) as stream:
            stream.read(header.offset)
            content = bytearray(stream.read())  # to the very end, where zipfile checks the checksum
        flat = np.frombuffer(content, dtype=header.dtype)
        return flat.reshape(header.shape, order="F" if header.fortran else "C")

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Whatever goes wrong with a member, in one sentence."""
        try:
            yield
        except (UserError, _CacheError):
            raise
        except Exception as error:  # a parser of hostile bytes may raise anything
            raise UserError(
                f"{self.path}: member {brief(name)!r} cannot be read ({brief(error)}); the file may be truncated, copy "
                "it again."
            ) from error

    def _header(self, archive: zipfile.ZipFile, name: str) -> tuple[zipfile.ZipInfo, Header]:
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as stream:
            return info, read_header(stream, info.file_size)

    def _refuse_objects(self, name: str, header: Header) -> None:
        if header.dtype.hasobject:
            raise UserError(
                f"{self.path}: member {brief(name)!r} is an object array, which needs pickle and could run code; if "
                f"you trust who made the file, convert it once with `lvm-data import --trust-pickle {self.path} --out "
                "NEW.npz`."
            )

    def _checked_data_offset(self, info: zipfile.ZipInfo) -> int:
        """Where the bytes of a stored member begin; they have been read through once, and their checksum is right."""
        # The local header repeats the name and extra field, with lengths of its own.
        with self.path.open("rb") as stream:
            stream.seek(info.header_offset + 26)
            lengths = stream.read(4)
            name, extra = (int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
            begin = info.header_offset + 30 + name + extra

            def check() -> None:
                stream.seek(begin)
                crc, left = 0, info.file_size
                while left and (block := stream.read(min(left, _BLOCK))):
                    crc, left = zlib.crc32(block, crc), left - len(block)
                if left or crc != info.CRC:
                    raise ValueError("its checksum is not that of its bytes")

            once(self.path, f"{info.orig_filename}|{begin}|{info.file_size}|{info.CRC}", check)
        return begin

    def _unpacked(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Path:
        stat = self.path.stat()
        key = f"{self.path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{info.filename}|{info.CRC}"
        target = cache_dir() / "npz" / (hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:32] + ".npy")
        if not is_file(target) or target.stat().st_size != info.file_size:
            with archive.open(info) as stream, _cache_faults(), atomic_write(target) as out:
                while block := self._block(stream, info.filename):
                    out.write(block)
            with _cache_faults():
                trim(target.parent, _UNPACKED)
        else:
            with suppress(OSError):
                os.utime(target)
        return target

    def _block(self, stream: Any, name: str) -> bytes:
        with self._told(name.removesuffix(".npy")):
            block: bytes = stream.read(_BLOCK)
            return block


class _CacheError(OSError):
    """The cache cannot be written: no fault of the file that is read."""


@contextmanager
def _cache_faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _CacheError(error.errno, error.strerror, error.filename or str(cache_dir())) from error


def map_array(path: Path, header: Header, base: int = 0) -> Shaped[np.ndarray, "..."]:
    """The array that a header describes, mapped; ``base`` is where the NPY begins in the file."""
    order: Literal["C", "F"] = "F" if header.fortran else "C"
    if 0 in header.shape:  # nothing to map
        return np.empty(header.shape, dtype=header.dtype, order=order)
    if base + header.size > path.stat().st_size:
        raise ValueError("the file ends before its array does")
    return np.memmap(path, dtype=header.dtype, mode="r", offset=base + header.offset, shape=header.shape, order=order)


def map_npy(path: Path) -> Shaped[np.ndarray, "..."]:
    """Memory-map an NPY file.

    Raises:
        Exception: any kind, since a parser of hostile bytes may raise anything; object arrays too.
    """
    with path.open("rb") as stream:
        header = read_header(stream, path.stat().st_size)
    if header.dtype.hasobject:
        raise ValueError("it is an object array, which needs pickle and could run code")
    return map_array(path, header)


def whole_numbers(values: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."] | None:
    """``values`` as int64, None where they are no whole numbers or do not fit."""
    if values.dtype.kind not in "iu":
        return None
    if values.dtype.kind == "u" and values.size and int(values.max()) > np.iinfo(np.int64).max:
        return None
    return values.astype(np.int64, copy=False)
