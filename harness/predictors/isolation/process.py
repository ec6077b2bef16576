"""A worker process from the session's side: started, asked within a deadline, ended with all that it left behind."""

import contextlib
import json
import mmap
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.isolation.factory import printable
from lvm_gates.harness.predictors.isolation.worker import TAIL, drained

WORKER = Path(__file__).with_name("worker.py")
# What an orderly end may take (exit handlers of the user's code), and the guardian's report after a kill.
_GRACE = 5.0
# Of a reply: two shapes and a sentence.
_LONGEST_REPLY = 65536


class End(NamedTuple):
    """How a process ended, in words, and the last line it printed."""

    how: str
    said: str


class EndedError(Exception):
    """The process is gone before it answered."""


class OverdueError(Exception):
    """The process did not answer in time."""


class WorkerProcess:
    """One running ``worker.py``.

    Args:
        python: the interpreter.
        module: to import.
        factory: to call.
        folder: its working directory.
        arguments: of the factory.

    Raises:
        UserError: the interpreter cannot be started.
    """

    def __init__(
        self, python: str, module: str, factory: str, folder: Path, arguments: Mapping[str, Any] | None = None
    ) -> None:
        self._shared = _shared_file()
        self._control, control = socket.socketpair()
        self._life, life = socket.socketpair()
        self._watched = selectors.DefaultSelector()
        self._output, printed = os.pipe()
        os.set_blocking(self._output, False)
        theirs = (control.fileno(), life.fileno(), self._output, self._shared)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - running the user's predictor is what was asked for
                [python, str(WORKER), *map(str, theirs), module, factory, json.dumps(dict(arguments or {}))],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                pass_fds=theirs,
                start_new_session=True,  # a group of its own, which can be killed as one and gets no Ctrl-C
            )
        except OSError as error:
            self._close()
            raise UserError(f"--python={python}: cannot be started ({error.strerror}); name an interpreter.") from error
        finally:
            control.close()
            life.close()
            os.close(printed)
        self._control.setblocking(False)
        self._watched.register(self._control, selectors.EVENT_READ)
        self._watched.register(self._life, selectors.EVENT_READ)
        self._pending = b""
        self._end: End | None = None

    def share(self, size: int) -> mmap.mmap:
        """The shared file, ``size`` bytes long and mapped.

        Raises:
            OSError: there is no room.
        """
        if hasattr(os, "posix_fallocate"):  # writing to a mapped hole on a full disk would be a bus error
            os.posix_fallocate(self._shared, 0, size)
        os.ftruncate(self._shared, size)
        return mmap.mmap(self._shared, size)

    def send(self, message: dict[str, Any]) -> None:
        """Ask; a few dozen bytes, which always fit the socket of a process that has answered everything before.

        Raises:
            EndedError: it is gone.
        """
        try:
            self._control.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise EndedError from error

    def receive(self, seconds: float) -> Any:
        """The next message.

        Raises:
            EndedError: the process is gone, or has closed its line, or sends what is no message.
            OverdueError: no message came within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            ready = {key.fileobj for key, _ in self._watched.select(max(0.0, deadline - time.monotonic()))}
            if not ready:
                raise OverdueError
            # A child that the process left behind may hold the line open, so its own end is watched as well.
            data = b"" if self._control not in ready else self._control.recv(_LONGEST_REPLY)
            if not data or len(self._pending) > _LONGEST_REPLY:
                raise EndedError
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            return json.loads(line)
        except ValueError as error:
            raise EndedError from error

    def end(self, *, kill: bool) -> End:
        """End the process and its children, and say how it went.

        Args:
            kill: at once; otherwise it may finish by itself, which takes its exit handlers.
        """
        if self._end is not None:
            return self._end
        report = b""
        if not kill:
            with contextlib.suppress(OSError):  # it may have hung up first
                self._control.shutdown(socket.SHUT_RDWR)
            report = self._report()
        if not report:
            with contextlib.suppress(OSError):  # the guardian may be gone, too
                self._life.sendall(b"stop\n")
            report = self._report()
        # The guardian is not waited for yet, so its id, which is that of the group, belongs to nobody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        late = drained(self._output)
        self._close()
        self._end = _end(report, status, late)
        return self._end

    def _report(self) -> bytes:
        """What the guardian says at the end, b"" if it says nothing in time."""
        report = b""
        self._life.settimeout(_GRACE)
        with contextlib.suppress(OSError):
            while not report.endswith(b"\n") and (data := self._life.recv(_LONGEST_REPLY)):
                report += data
        return report

    def _close(self) -> None:
        self._watched.close()
        self._control.close()
        self._life.close()
        os.close(self._output)
        os.close(self._shared)


def find_python(python: str | None, root: Path) -> str:
    """The interpreter of ``--python``; the session's own by default.

    Args:
        python: a path, relative to ``root``, or the name of a command.
        root: the folder the session was called in.

    Raises:
        UserError: no such interpreter.
    """
    if python is None:
        return sys.executable
    # Not resolved: an environment's interpreter is a link, and the link's place is what makes it the environment's.
    found = str(root / python) if os.sep in python else shutil.which(python) or str(root / python)
    if not os.access(found, os.X_OK) or Path(found).is_dir():
        raise UserError(f"--python={python}: no such interpreter; give its path, such as .venv/bin/python.")
    return found


def _shared_file() -> int:
    """A file without a name, in memory where the system can: nothing is left behind, however a session ends."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lvm-gates")
    with tempfile.TemporaryFile() as stream:
        return os.dup(stream.fileno())


def _end(report: bytes, status: int, late: bytes) -> End:
    try:
        told = json.loads(report)
    except ValueError:  # no guardian: the interpreter did not get so far, or somebody killed it
        told = {"signal": -status} if status < 0 else {"exit": status}
    text = (str(told.get("tail", "")) + late.decode("utf-8", "replace"))[-TAIL:]
    lines = [line for line in map(printable, text.splitlines()) if line]
    number = told.get("signal")
    how = f"ended with exit status {told.get('exit')}" if number is None else f"was killed by {_signal_name(number)}"
    return End(how, lines[-1] if lines else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
