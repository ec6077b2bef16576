"""Checks of a whole file that are made once: what has been found sound is remembered until the file changes.

Reading a file through for its checksum costs about a second a gigabyte; opening one that is mapped costs nothing. So
the outcome is kept in the cache folder under the file's path, size and times, and whatever the check was given.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lvm_gates.harness.base.cache import cache_dir

# Read at 1 GB/s in less time than a mark takes to be written and looked up on a slow disk.
WORTH_REMEMBERING = 4 << 20


def once(path: Path, what: str, check: Callable[[], None]) -> None:
    """Run ``check`` unless it has passed before on this very file.

    The time of the last change of the file's entry counts beside that of its content, which copying tools set back.

    Args:
        path: of the file.
        what: tells this check from others of the file, and holds the digest that the content is checked against.
        check: raises where the file is unsound; then nothing is remembered.
    """
    stat = path.stat()
    if stat.st_size < WORTH_REMEMBERING:
        check()
        return
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}|{what}"
    mark = cache_dir() / "verified" / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    with suppress(OSError):
        if mark.is_file():
            return
    check()
    # Without a cache that can be written, the check is made again at each opening.
    with suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
