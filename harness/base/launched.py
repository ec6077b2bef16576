"""Several processes that `torchrun` starts for one command: whether there are any, and what ends them all.

`torchrun` ends the others when one of them ends, and with ``--max-restarts`` starts all again. Here each finds the
others, and whatever ends the command is said once, by the process that it happens to first.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store


class OthersEndedError(BaseException):
    """Another process of the run ended, or `torchrun` was told to end them all: no fault that anything here mends."""


def launched() -> bool:
    """Whether `torchrun` started this process beside others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ["WORLD_SIZE"]) > 1


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
        return store().add(f"lvm-gates/said/{restarts()}", 1) == 1
    except RuntimeError:
        return True  # nobody is left to keep count


def starts_again() -> bool:
    """Whether `torchrun` will start the run once more by itself."""
    return launched() and restarts() < int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0"))


def restarts() -> int:
    """How often `torchrun` has started the processes again."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def store() -> "Store":
    """The store that the processes found one another by; `torchrun` keeps it when it starts them again."""
    import torch.distributed as dist

    where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store: Store = dist.TCPStore(*where, is_master=False, wait_for_workers=False)  # type: ignore[attr-defined]
    return store
