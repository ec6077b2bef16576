"""The process that a user's predictor runs in. Needs Python 3.9 and numpy, and nothing of this project.

Run by path with ``worker.py CONTROL LIFE OUTPUT BUFFER MODULE FACTORY ARGUMENTS``, the first four being file
descriptors that it inherits from the session (`harness.predictors.isolation.process` starts it), the last JSON. What
the factory gives is made a predictor by `factory.py`, beside this file. It forks: the first process stays a
*guardian* that imports nothing more, collects what is printed and ends the whole process group when the session is
gone, however it went; the second imports the module, calls the factory and predicts. A predictor that hangs in C code,
or holds the interpreter's lock for ever, could not watch over itself.

CONTROL carries one JSON object a line in both directions, BUFFER the arrays: contexts from offset 0, predictions behind
them. LIFE carries nothing but its end, an order to stop, and the guardian's report of how the predictor ended.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import mmap
import os
import selectors
import signal
import sys
from collections.abc import Iterator
from typing import Any

TAIL = 4096  # bytes kept of what the predictor prints
_KEPT = 31 * 2**20  # bytes; glibc learns from no block of 32 MB or more

# Bound here: a user's module may patch the standard library (gevent does) and must not patch the way back.
_read, _write, _getpid, _exit, _dumps, _loads = os.read, os.write, os.getpid, os._exit, json.dumps, json.loads


def _beside(name: str) -> Any:
    """A module that lies beside this file, which runs without its package: under another name, since a user's module
    may be called the same.
    """
    if __package__:
        return importlib.import_module(f"{__package__}.{name}")
    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")  # noqa: PTH100, PTH118, PTH120
    spec = importlib.util.spec_from_file_location(f"_lvm_gates_{name}", where)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_factory = _beside("factory")


def main() -> None:
    control, life, output, buffer = map(int, sys.argv[1:5])
    module, factory, arguments = sys.argv[5], sys.argv[6], json.loads(sys.argv[7])
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
    _serve(control, buffer, module, factory, arguments)


def _serve(control: int, buffer: int, module: str, factory: str, arguments: dict[str, Any]) -> None:
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
        reply(
            id=0, refused=f"{sys.executable} cannot import numpy ({_factory.printable(str(error))}); install it there."
        )
        return
    # glibc keeps freed memory for the next batch up to twice the largest block that was mapped and freed; beyond, a
    # network's layers fault their pages in anew each time. Large arrays come and go in a session's process; here one
    # comes and goes untouched.
    np.empty(_KEPT, np.uint8)
    try:
        made = _factory.make_predictor(module, factory, arguments)
    except _factory.RefusedError as error:
        reply(id=0, refused=str(error))
        return
    except BaseException as error:  # a KeyboardInterrupt here is the user's code, not the user
        reply(id=0, refused=f"importing {module} or calling {factory}() raised {_factory.told(error)}.")
        return
    reply(id=0, assumed=made.assumed, files=made.files)
    shared = None
    for request in _lines(control):
        rows, frames, dim = request["shape"]
        if shared is None or len(shared) != request["size"]:
            shared = mmap.mmap(buffer, request["size"])
        given = np.ndarray((rows, frames, dim), np.float32, shared)
        try:
            # A copy: the predictor may keep or spoil what it is given, and the buffer is used again.
            answer = _factory.as_array(made.predictor.predict(given.copy()))
        except BaseException as error:  # SystemExit and KeyboardInterrupt among them
            reply(id=request["id"], raised=_factory.told(error))
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
