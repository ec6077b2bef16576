"""Write files so that a reader sees the old content or the new, never half of it.

A temporary file beside the target is filled, flushed to disk and renamed over it. The rename is atomic on
POSIX when both lie in one directory, which is why the temporary file is not in ``/tmp``. A process that is killed
leaves its temporary file; whoever writes the same target a day later removes it.
"""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

# Longer than any single write, and than a laptop's night: a temporary file untouched for so long has no writer.
ABANDONED_HOURS = 24
_MARK = r"\.[a-z0-9_]{8}\.tmp"


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open ``path`` for binary writing; it appears, complete, only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, re.escape(path.name))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes the file private; give it the mode an ordinary open() would have.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON; NaN and infinity are refused, since other JSON readers reject them."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    with atomic_write(path) as stream:
        # Half of a surrogate pair, as a file name that is not UTF-8 brings, has no UTF-8; JSON has an escape for it.
        stream.write(text.encode(errors="backslashreplace") + b"\n")


@contextmanager
def appear_together(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Files that are written one by one and appear in ``folder`` one right after another, the last one last.

    Args:
        folder: made if absent; other files in it stay.
        names: of the files, in the order in which they appear.

    Yields:
        An empty folder in which each of ``names`` is to be written; it is gone in the end, whatever happens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder, "together")
    temporary = Path(tempfile.mkdtemp(dir=folder, prefix=".together.", suffix=".tmp"))
    try:
        yield temporary
        for name in names:
            (temporary / name).replace(folder / name)
        _flush_names(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sweep(folder: Path, name: str = ".+") -> None:
    """Remove temporary files of killed processes, untouched for `ABANDONED_HOURS`.

    Args:
        folder: where they lie.
        name: regular expression of what they were to become; default anything.
    """
    ours = re.compile(rf"\.(?:{name}){_MARK}", re.DOTALL)
    try:
        found = [entry for entry in os.scandir(folder) if ours.fullmatch(entry.name)]
    except OSError:
        return
    for entry in found:
        remove_abandoned(Path(entry.path))


def remove_abandoned(path: Path) -> None:
    """Remove a file or folder of ours that nothing was written to for `ABANDONED_HOURS`; others stay."""
    limit = time.time() - 3600 * ABANDONED_HOURS
    with suppress(OSError):
        if path.lstat().st_mtime > limit:
            return
        if path.is_dir() and not path.is_symlink():
            if all(inner.lstat().st_mtime <= limit for inner in path.rglob("*")):
                shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _flush_names(folder: Path) -> None:
    """A rename is on the disk only when its folder is; some file systems cannot flush one and need not."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
