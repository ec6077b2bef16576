"""One run at a time in a folder: two would save their epochs over each other's."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lvm_gates.harness.base.errors import UserError

_LOCK = ".training.lock"


@contextmanager
def only_writer(folder: Path, *, make: bool) -> Iterator[None]:
    """Hold a folder while a run is saved there; the lock of a process that dies goes with it.

    Args:
        folder: the run's.
        make: whether to make it where it is absent; else nothing is held then, and there is nothing to hold.

    Raises:
        UserError: another process trains into it, or it cannot be written.
    """
    if not make and not folder.is_dir():
        yield
        return
    file, absent = folder / _LOCK, not folder.exists()
    lock = FileLock(file, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{folder}: another lvm-train is writing there; wait for it to end, or give another --out."
        ) from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); give another --out.") from error
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)
        lock.release()
        if absent:  # a run that never began leaves nothing
            with suppress(OSError):
                folder.rmdir()
