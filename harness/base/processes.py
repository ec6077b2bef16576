"""The processes of one command: which of them this is, and what they tell one another.

`torchrun` starts them (`harness.base.launched`); without it there is one, and nothing here does anything, not even
load torch. What is written, printed or judged is the first one's.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import Shaped

from lvm_gates.harness.base.errors import UserError

if TYPE_CHECKING:
    import torch
    from rich.console import Console

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
        import torch.distributed as dist

        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def gathered(self, value: Value) -> list[Value]:
        """What each process has for ``value``, in all of them."""
        if self.alone:
            return [value]
        import torch.distributed as dist

        found = [value] * self.world
        dist.all_gather_object(found, value)
        return found

    def to_first(self, value: Value) -> list[Value]:
        """What each process has for ``value``, in the first; nothing in the others."""
        if self.alone:
            return [value]
        import torch.distributed as dist

        found = [value] * self.world if self.first else None
        dist.gather_object(value, found)
        return found or []

    def summed(self, counts: Shaped[np.ndarray, "*shape"]) -> Shaped[np.ndarray, "*shape"]:
        """The sum over all processes of an array of whole numbers, in all of them."""
        if self.alone:
            return counts
        import torch
        import torch.distributed as dist

        total = torch.from_numpy(np.ascontiguousarray(counts))
        dist.all_reduce(total)
        return np.asarray(total.numpy())

    def fill(self, rows: Shaped[np.ndarray, "n ..."], parts: list[slice]) -> None:
        """Give all processes the rows that each has written of an array.

        Args:
            rows: the array, of one shape everywhere.
            parts: which of the rows each process has written.
        """
        if self.alone:
            return
        import torch
        import torch.distributed as dist

        for rank, part in enumerate(parts):
            if part.stop > part.start:
                dist.broadcast(torch.from_numpy(rows[part]), src=rank)

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """A block that ends well in every process or in none: a mistake in one is raised in all.

        Raises:
            UserError: what another process met, and which.
        """
        mistake: UserError | OSError | None = None
        try:
            yield
        except (UserError, OSError) as error:
            if self.alone:
                raise
            mistake = error
        found = self.gathered("" if mistake is None else str(mistake))
        if mistake is not None:
            raise mistake
        for rank, sentence in enumerate(found):
            if sentence:
                raise UserError(f"process {rank} of {self.world}: {sentence}")

    def require_same(self, value: str, what: str) -> None:
        """Refuse a run whose processes do not agree.

        Raises:
            UserError: ``value`` is another in another process; ``what`` names it.
        """
        found = self.gathered(value)
        others = [str(rank) for rank in range(self.world) if found[rank] != found[0]]
        if others:
            raise UserError(
                f"the processes of this run do not have the same {what}: {', '.join(others)} and 0 differ; give all of "
                "them the same files."
            )

    def device(self, name: str) -> "torch.device":
        """The device called ``name``: of several processes on one machine each has a ``cuda`` of its own.

        Raises:
            UserError: no such device, or one that several processes cannot share.
        """
        import torch

        from lvm_gates.harness.base.device import resolve_device

        if self.alone or name == "cpu":
            return resolve_device(name)
        if name != "cuda":
            raise UserError(f"--device {name}: several processes run on cpu or cuda, each on one of its own.")
        device = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(device)
        return device

    def console(self) -> "Console":
        """Standard output for the first process, silence for the others."""
        from rich.console import Console

        return Console() if self.first else Console(file=StringIO())


def ranks() -> Ranks:
    """This process among those that `torchrun` started for its run; one alone without it."""
    if "torch" not in sys.modules:  # which whoever joins a group has loaded
        return Ranks()
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return Ranks()
    return Ranks(dist.get_rank(), dist.get_world_size())
