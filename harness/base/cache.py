"""Where things that can always be made again are kept between runs: never an obstacle, and never without bound."""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock
from jaxtyping import Shaped

from lvm_gates.harness.base.atomic import atomic_write, sweep

# A fit of 768 dimensions and five frames takes 24 MB, so that this holds those of 40 corpora.
FITS = 1 << 30


def cache_dir() -> Path:
    """The cache folder: ``$LVM_GATES_CACHE`` if set, else the user's cache folder of this program."""
    override = os.environ.get("LVM_GATES_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_dir("lvm-gates"))


def cached_arrays(
    kind: str, key: str, names: Sequence[str], make: Callable[[], Mapping[str, Shaped[np.ndarray, "..."]]]
) -> Mapping[str, Shaped[np.ndarray, "..."]]:
    """Arrays kept under the content that they follow from; one process makes them, others wait.

    A damaged entry is made again. Where the cache cannot be written, each process makes its own, and the same.

    Args:
        kind: folder of the cache; when it holds more than `FITS` bytes, those unused for longest go.
        key: hexadecimal digest of everything that the arrays depend on.
        names: of the arrays.
        make: makes them.
    """
    file = cache_dir() / kind / f"{key}.npz"
    lock = FileLock(f"{file}.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:
        return make()
    try:
        if (found := _read(file, names)) is not None:
            with suppress(OSError):
                os.utime(file)
            return found
        made = make()
        with suppress(OSError):
            with atomic_write(file) as stream:
                np.savez(stream, allow_pickle=False, **made)
            trim(file.parent, FITS)
        return made
    finally:
        lock.release()


@cache
def code_digest(*modules: str) -> str:
    """Hexadecimal digest of the source of some modules, packages with all that is in them.

    Part of the key of what they make: a change of the code makes it again, and nobody has to think of it.
    """
    digest = hashlib.sha256()
    for name in modules:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        folders = spec.submodule_search_locations
        for file in sorted(Path(folders[0]).rglob("*.py")) if folders else [Path(spec.origin)]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def trim(folder: Path, most: int) -> None:
    """Let the files of a cache folder go that were unused for longest, until the rest has at most ``most`` bytes.

    The last one used stays, whatever its size; a process that has a file mapped keeps it. Temporary files of killed
    processes go too.
    """
    sweep(folder)
    files = [path for path in folder.iterdir() if path.suffix in (".npz", ".npy")]
    file_stats = {path: path.stat() for path in files}
    total = 0
    for number, path in enumerate(sorted(files, key=lambda path: file_stats[path].st_mtime_ns, reverse=True)):
        total += file_stats[path].st_size
        if total > most and number:
            path.unlink(missing_ok=True)
            Path(f"{path}.lock").unlink(missing_ok=True)


def _read(file: Path, names: Sequence[str]) -> Mapping[str, Shaped[np.ndarray, "..."]] | None:
    """The entry, None where there is none or it is damaged; zipfile compares checksums."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except Exception:  # a parser of damaged bytes may raise anything
        return None
