"""What goes wrong in a command that `ci.chaos` starts: a plugin of pytest, or the first import of a program.

``$CHAOS`` holds one call of a function of this module, such as
``at("lvm_gates.harness.judging.session:GateRun.prepare", sent("SIGKILL"))``.
"""

import errno
import importlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

Action = Callable[[], None]
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND


def at(place: str, action: Action, call: int = 1) -> None:
    """Act when a function is called.

    Args:
        place: ``module.function`` or ``module:Class.method``.
        action: what happens, before the function does its work.
        call: at which call; 0 is each.
    """
    owner, name = place.rsplit(".", 1)
    module, _, holder = owner.partition(":")
    target = importlib.import_module(module)
    target = getattr(target, holder) if holder else target
    original, calls = getattr(target, name), 0

    def wrapped(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if call in (0, calls):
            action()
        return original(*arguments, **more)

    setattr(target, name, wrapped)


def in_worker(place: str, action: Action) -> None:
    """The same in the first xdist worker, and nowhere else."""
    if os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
        at(place, action)


def sent(name: str) -> Action:
    """The process gets a signal."""
    return lambda: os.kill(os.getpid(), getattr(signal, name))


def full(size: int) -> Action:
    """From now on no file of this process can grow beyond ``size`` bytes (RLIMIT_FSIZE); others stay as they are."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def no_space() -> None:
    """ENOSPC, by hand."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_only(folder: str) -> Action:
    """From now on nothing in a folder can be made or written: EROFS by hand, since root need not ask for permission."""
    root = os.path.abspath(folder)  # noqa: PTH100 - without a look at the disk, which would be an event again

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & _WRITING):
                return
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.truncate"):
            path = arguments[0]
        else:
            return
        if isinstance(path, (str, bytes)) and f"{os.path.abspath(os.fsdecode(path))}/".startswith(f"{root}/"):  # noqa: PTH100
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), os.fsdecode(path))

    return lambda: sys.addaudithook(refuse)


def from_the_start(action: Action) -> None:
    """At once."""
    action()


def letters_for_a_model(then: None) -> None:
    """An encoder that counts letters, so that embedding needs no model; another fault may be set beside it."""
    import numpy as np

    from lvm_gates.harness.text import embedding

    class Letters:
        def __init__(self, model: str | None, *, device: str, batch_size: int, max_tokens: int | None) -> None:
            self.name, self.dim, self.identity = "letters", 26, {"max_tokens": max_tokens}

        def encode(self, texts: list[str]) -> Any:
            counts = [[1 + text.lower().count(chr(97 + i)) for i in range(26)] for text in texts]
            return np.array(counts, dtype=np.float32)

        def truncated(self, texts: list[str]) -> int:
            return 0

    embedding.SentenceEncoder = Letters  # type: ignore[misc,assignment]


# In the background of a shell interrupts are ignored, and so they would be here.
signal.signal(signal.SIGINT, signal.default_int_handler)
if "CHAOS" in os.environ:
    eval(os.environ["CHAOS"])  # noqa: S307 - what `ci.chaos` wrote
