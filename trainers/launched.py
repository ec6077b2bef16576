"""One run by several processes: ``torchrun --nproc-per-node N -m lvm_gates.trainers.cli RECIPE ...``.

`torchrun` starts the processes, ends the others when one of them ends, and with ``--max-restarts`` starts all again.
Here each finds the others, and whatever ends the run is said once, by the process that it happens to first.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lvm_gates.trainers.saved import stamp

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store


class OthersEndedError(BaseException):
    """Another process of the run ended, or `torchrun` was told to end them all: no fault that anything here mends."""


def launched() -> bool:
    """Whether `torchrun` started this process beside others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1


def run_together(command: Callable[[], Any]) -> NoReturn:
    """Run a command as one of several processes; ends the program.

    Args:
        command: raises Click's exceptions instead of showing them.
    """
    import torch
    import torch.distributed as dist

    def end(*_: object) -> None:
        # Once: what follows is the way out.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise OthersEndedError

    signal.signal(signal.SIGTERM, end)
    status = 1
    try:
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        # A part of the store for this start alone: `torchrun` keeps the store when it starts all again, and with it the
        # addresses of processes that are gone, which Gloo then waits for.
        store = dist.PrefixStore(f"lvm-gates/start/{_restarts()}", _store())  # type: ignore[attr-defined]
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        dist.init_process_group(backend, store=store, rank=rank, world_size=world)
        command()
        status = 0
    except click.ClickException as error:
        status = error.exit_code
        if speaks():
            error.show()
    except (click.Abort, KeyboardInterrupt, OthersEndedError):
        pass  # said already, where the run's folder is known
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout.flush()
        sys.stderr.flush()
        if status:
            # Not sys.exit: the group would wait for processes that are gone.
            os._exit(status)
    dist.destroy_process_group()
    sys.exit(status)


def ended_elsewhere(error: BaseException) -> bool:
    """Whether an error says that another process of the run has ended."""
    if isinstance(error, OthersEndedError):
        return True
    if not launched() or not isinstance(error, RuntimeError):
        return False
    import torch.distributed as dist

    # Gloo has no class of errors of its own.
    return isinstance(error, dist.DistError) or "gloo" in str(error) or "onnection" in str(error)


def speaks() -> bool:
    """Whether it is for this process to say what ended the run; the first one that asks is told so."""
    if not launched():
        return True
    try:
        return _store().add(f"lvm-gates/said/{_restarts()}", 1) == 1
    except RuntimeError:
        return True  # nobody is left to keep count


def starts_again() -> bool:
    """Whether `torchrun` will start the run once more by itself."""
    return launched() and _restarts() < int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0"))


def as_started(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a run as typed, or with ``--resume`` where `torchrun` starts again what has been saved since.

    Args:
        given: as typed.
    """
    if not launched():
        return dict(given)
    from lvm_gates.trainers.ranks import ranks

    folder: Path = given["out"]
    key, now = f"lvm-gates/before/{folder.absolute()}", repr(stamp(folder))
    resumes = False
    if ranks().first:
        store = _store()
        if _restarts() == 0:
            store.set(key, now)
        else:
            # Older than the run it may be what --overwrite is to replace, or what is not to be touched.
            resumes = store.check([key]) and store.get(key).decode() != now
    resumes = ranks().from_first(resumes)
    return {**given, "resume": True, "overwrite": False} if resumes else dict(given)


def _restarts() -> int:
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def _store() -> "Store":
    """The store that the processes found one another by; `torchrun` keeps it when it starts them again."""
    import torch.distributed as dist

    where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store: Store = dist.TCPStore(*where, is_master=False, wait_for_workers=False)  # type: ignore[attr-defined]
    return store
