"""The processes of one run: which of them this is, and what they tell one another.

`torchrun` starts them (`trainers.launched`); without it there is one, and nothing here does anything. Each holds the
whole network and reads the whole of every batch; what is computed once and written, printed or judged is the first
one's, and reaches the others from there.
"""

import os
from dataclasses import dataclass
from io import StringIO
from typing import TypeVar

import torch
import torch.distributed as dist
from rich.console import Console

from lvm_gates.harness.base.device import resolve_device
from lvm_gates.harness.base.errors import UserError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """This process among those of its run.

    Attributes:
        rank: from 0.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this one writes, prints and watches."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is nobody else."""
        return self.world == 1

    def from_first(self, value: Value) -> Value:
        """What the first process has for ``value``, in all of them."""
        if self.alone:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def require_same(self, value: str, what: str) -> None:
        """Refuse a run whose processes do not agree.

        Raises:
            UserError: ``value`` is another in another process; ``what`` names it.
        """
        if self.alone:
            return
        found: list[str] = [""] * self.world
        dist.all_gather_object(found, value)
        others = [str(rank) for rank in range(self.world) if found[rank] != found[0]]
        if others:
            raise UserError(
                f"the processes of this run do not have the same {what}: {', '.join(others)} and 0 differ; give all of "
                "them the same files."
            )

    def device(self, name: str) -> torch.device:
        """The device called ``name``: of several processes on one machine each has a ``cuda`` of its own.

        Raises:
            UserError: no such device, or one that several processes cannot train on.
        """
        if self.alone or name == "cpu":
            return resolve_device(name)
        if name != "cuda":
            raise UserError(f"--device {name}: several processes train on cpu or cuda, each on one of its own.")
        device = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(device)
        return device

    def console(self) -> Console:
        """Standard output for the first process, silence for the others."""
        return Console() if self.first else Console(file=StringIO())


def ranks() -> Ranks:
    """This process among those that `torchrun` started for its run; one alone without it."""
    if not (dist.is_available() and dist.is_initialized()):
        return Ranks()
    return Ranks(dist.get_rank(), dist.get_world_size())
