"""The process that a user's predictor runs in. Needs Python 3.9 and numpy, and nothing of this project.

Run by path with ``worker.py CONTROL LIFE OUTPUT BUFFER MODULE FACTORY``, the first four being file descriptors that it
inherits from the session (`harness.predictors.isolation.process` starts it). It forks: the first process stays a
*guardian* that imports nothing more, collects what is printed and ends the whole process group when the session is
gone, however it went; the second imports the module, calls the factory and predicts. A predictor that hangs in C code,
or holds the interpreter's lock for ever, could not watch over itself.

CONTROL carries one JSON object a line in both directions, BUFFER the arrays: contexts from offset 0, predictions behind
them. LIFE carries nothing but its end, an order to stop, and the guardian's report of how the predictor ended.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import selectors
import signal
import sys
from collections.abc import Iterator
from typing import Any

TAIL = 4096  # bytes kept of what the predictor prints
_LONGEST = 300  # characters of a user's exception that are reported

# Bound here: a user's module may patch the standard library (gevent does) and must not patch the way back.
_read, _write, _getpid, _exit, _dumps, _loads = os.read, os.write, os.getpid, os._exit, json.dumps, json.loads


class RefusedError(Exception):
    """A factory that cannot be used, in words."""


def told(error: BaseException) -> str:
    """An exception as part of a sentence: ``ValueError: no weights``, on one line and safe to print."""
    name = type(error).__name__
    try:
        text = printable(str(error))
    except Exception:  # its text may raise another
        text = ""
    return f"{name}: {text}" if text else name


def printable(text: str) -> str:
    """One line of bounded length without control characters."""
    line = " ".join(text.split())
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return safe if len(safe) <= _LONGEST else safe[: _LONGEST - 1] + "…"


def make_predictor(module: str, factory: str) -> Any:
    """Import ``module`` and call its ``factory()``.

    Raises:
        RefusedError: anything wrong with either, as the end of a sentence about the model.
    """
    # Not KeyboardInterrupt: in the session's own process (--in-process) that is somebody pressing Ctrl-C.
    try:
        found = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError) as error:
        raise RefusedError(f"cannot be imported ({printable(str(error))}); check the module and the name.") from error
    except (Exception, SystemExit) as error:
        raise RefusedError(f"importing {module} raised {told(error)}.") from error
    try:
        predictor = found()
    except (Exception, SystemExit) as error:
        raise RefusedError(f"{factory}() raised {told(error)}.") from error
    if not callable(getattr(predictor, "predict", None)):
        raise RefusedError(f"{factory}() returned {type(predictor).__name__}, which has no predict(contexts).")
    return predictor


def main() -> None:
    control, life, output, buffer = map(int, sys.argv[1:5])
    module, factory = sys.argv[5:7]
    # The modules of the folder the session was called in, not those that happen to lie beside this file.
    own = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 10 ms of a start
    sys.path[:] = [os.getcwd(), *(p for p in sys.path if os.path.abspath(p) != own)]  # noqa: PTH100, PTH109
    sys.argv[1:] = []
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    predicting = os.fork()
    if predicting:
        os.close(control)
        os.close(buffer)
        _guard(predicting, life, output)
    os.close(life)
    os.close(output)
    os.set_inheritable(control, False)
    os.set_inheritable(buffer, False)
    _serve(control, buffer, module, factory)


def _serve(control: int, buffer: int, module: str, factory: str) -> None:
    """Answer requests until the session hangs up."""
    own = _getpid()

    def leave_if_forked() -> None:
        if _getpid() != own:
            _exit(0)  # a child of the user's code has come back here as well; it must touch neither buffer nor line

    def reply(**message: Any) -> None:
        leave_if_forked()
        data = _dumps(message).encode() + b"\n"
        while data:
            data = data[_write(control, data) :]

    try:
        import numpy as np
    except ImportError as error:
        reply(id=0, refused=f"{sys.executable} cannot import numpy ({printable(str(error))}); install it there.")
        return
    try:
        predictor = make_predictor(module, factory)
    except RefusedError as error:
        reply(id=0, refused=str(error))
        return
    except BaseException as error:  # a KeyboardInterrupt here is the user's code, not the user
        reply(id=0, refused=f"importing {module} or calling {factory}() raised {told(error)}.")
        return
    reply(id=0)
    shared = None
    for request in _lines(control):
        rows, frames, dim = request["shape"]
        if shared is None or len(shared) != request["size"]:
            shared = mmap.mmap(buffer, request["size"])
        given = np.ndarray((rows, frames, dim), np.float32, shared)
        try:
            # A copy: the predictor may keep or spoil what it is given, and the buffer is used again.
            answer = np.asarray(predictor.predict(given.copy()))
        except BaseException as error:  # SystemExit and KeyboardInterrupt among them
            reply(id=request["id"], raised=told(error))
            continue
        leave_if_forked()
        if answer.dtype.kind == "f" and answer.dtype.itemsize > 8:
            answer = answer.astype(np.float64)  # long doubles differ between interpreters
        if answer.shape == (rows, dim) and answer.dtype.kind in "fiu":
            answer = answer.astype(answer.dtype.newbyteorder("="), copy=False)
            np.ndarray(answer.shape, answer.dtype, shared, offset=given.nbytes)[...] = answer
        reply(id=request["id"], shape=answer.shape, dtype=str(answer.dtype), kind=answer.dtype.kind)


def _lines(stream: int) -> Iterator[Any]:
    pending = b""
    while True:
        data = _read(stream, 65536)
        if not data:
            return
        *whole, pending = (pending + data).split(b"\n")
        for line in whole:
            yield _loads(line)


def _guard(predicting: int, life: int, output: int) -> None:
    """Wait for the predictor's end, the session's, or an order to stop; then end every process of the group."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for own in (0, 1, 2):  # else the guardian itself would keep the output open
        os.dup2(nowhere, own)
    woken, wake = os.pipe()
    for pipe in (woken, wake, output):
        os.set_blocking(pipe, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    tail, status = b"", 0
    with selectors.DefaultSelector() as watched:
        for stream in (life, output, woken):
            watched.register(stream, selectors.EVENT_READ)
        while True:
            ended, status = os.waitpid(predicting, os.WNOHANG)
            if ended:
                break
            for key, _ in watched.select():
                data = os.read(key.fd, 65536)
                if key.fd == output:
                    tail = (tail + data)[-TAIL:]
                    if not data:
                        watched.unregister(output)
                elif key.fd == life:
                    if not data:
                        _end_group(predicting)
                    os.kill(predicting, signal.SIGKILL)
    tail = (tail + drained(output))[-TAIL:]
    how = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"exit": os.WEXITSTATUS(status)}
    try:
        os.write(life, json.dumps({**how, "tail": tail.decode("utf-8", "replace")}).encode() + b"\n")
    finally:
        _end_group(None)


def drained(stream: int) -> bytes:
    """What lies in a non-blocking pipe, at most its last `TAIL` bytes."""
    data = b""
    for _ in range(1000):  # a child left behind may write for ever
        try:
            more = os.read(stream, 65536)
        except BlockingIOError:
            break
        if not more:
            break
        data = (data + more)[-TAIL:]
    return data


def _end_group(predicting: int | None) -> None:
    if predicting is not None:
        os.kill(predicting, signal.SIGKILL)  # by its id: it may have left the group
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # children left behind, and this process
    _exit(1)


if __name__ == "__main__":
    main()
