"""The folder that the processes of one session share, and what killed sessions leave of theirs."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lvm_gates.harness.base.errors import UserError

_PREFIX = "lvm-gates-"
_LOCK = "session.lock"


class SessionFolder:
    """A folder for observations, gone with `remove`; one that a kill left behind goes when the next session starts.

    A lock inside says that its session lives: the system lets go of it when the process ends, in whatever way.

    Raises:
        UserError: there is nowhere to make it.
    """

    def __init__(self) -> None:
        try:
            _sweep()
            # Locked before it has the name that `_sweep` looks for: nobody must find it without its lock.
            unnamed = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
            self._lock = FileLock(unnamed / _LOCK)
            self._lock.acquire()
            self.path = unnamed.rename(unnamed.with_name(unnamed.name[1:]))
        except OSError as error:
            raise UserError(
                f"no temporary folder can be made ({error.strerror}); set TMPDIR to one with room."
            ) from error

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Another user's, one that is being removed, one without a lock that is none of ours: left alone.
        with suppress(OSError, Timeout, NotImplementedError):
            if (folder / _LOCK).is_file():
                with FileLock(folder / _LOCK, timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
