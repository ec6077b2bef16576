"""The network as the loop asks it: by one process, or by several that share every batch.

Several processes compute what one would. Each sends its share of the rows through its copy of the network, and all
get all rows back: the loss, with whatever it says of the batch as a whole (in-batch negatives, adaptive weights, means
that switch a term off), is computed of the whole batch by every process, and no recipe knows of it.
"""

import inspect
import math
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lvm_gates.harness.base.processes import Ranks
from lvm_gates.models.base import NextEmbedding
from lvm_gates.trainers.position import generator_states, restore_generators
from lvm_gates.trainers.seeding import seed_share

# A buffer here is a constant of the network or set by every process alike. Torch 2.13 has another name for it.
_NAMES = inspect.signature(DistributedDataParallel.__init__).parameters
_LEAVE_BUFFERS: dict[str, Any] = {
    "forward_sync_buffers" if "forward_sync_buffers" in _NAMES else "broadcast_buffers": False
}


class Network:
    """Answers of a network for a batch.

    Args:
        model: the network.
    """

    def __init__(self, model: NextEmbedding) -> None:
        self.model = model

    def begin(self, epoch: int, step: int) -> None:
        """Say which step is next."""

    def answers(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch answers dim"]:
        """(B, N, D) float32 head outputs (`NextEmbedding.answers`)."""
        return self.model.answers(x).float()


class SharedNetwork(Network):
    """The same by several processes, whose gradients end up equal.

    Shares are of equal size: where a batch does not divide, the last ones are filled up with its last window, and what
    comes out for those is dropped before anybody sees it. Every window counts once.

    Gradients: every process descends on the loss of the whole batch, of which it holds its own rows only. What all of
    them find for a row is added up where the row was computed, so that each share comes out ``world`` times too large,
    and the mean that `DistributedDataParallel` takes over the processes makes their sum of it.

    Dropout: a share draws from (seed, epoch, step, rank), and leaves the generators as it found them, so that what is
    drawn for the whole batch is the same everywhere (`trainers.augment`).

    Args:
        model: the network, on ``device``; its weights become those of the first process.
        device: where it is.
        seed: of the run.
        ranks: the processes.
    """

    def __init__(self, model: NextEmbedding, device: torch.device, seed: int, ranks: Ranks) -> None:
        super().__init__(model)
        self._ranks, self._device, self._seed = ranks, device, seed
        self._epoch = self._step = self._calls = 0
        devices = [device] if device.type == "cuda" else None
        self._shares = DistributedDataParallel(_Answers(model), device_ids=devices, **_LEAVE_BUFFERS)

    def begin(self, epoch: int, step: int) -> None:
        """See `Network.begin`."""
        self._epoch, self._step, self._calls = epoch, step, 0

    def answers(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch answers dim"]:
        """See `Network.answers`; all processes ask at once, of the same batch."""
        size, rank = math.ceil(len(x) / self._ranks.world), self._ranks.rank
        rows = torch.arange(rank * size, (rank + 1) * size, device=x.device).clamp(max=len(x) - 1)
        common = generator_states(self._device)
        self._calls += 1
        seed_share(self._seed, self._epoch, self._step, self._calls, rank)
        share = self._shares(x[rows]).float()
        restore_generators(common, self._device)
        whole: Tensor = _Gathered.apply(share, self._ranks)  # type: ignore[no-untyped-call]
        return whole[: len(x)]


def network_of(model: NextEmbedding, device: torch.device, seed: int, ranks: Ranks) -> Network:
    """A network as this process asks it."""
    return Network(model) if ranks.alone else SharedNetwork(model, device, seed, ranks)


class _Answers(nn.Module):
    """What `DistributedDataParallel` can wrap: its hooks hang on ``forward``."""

    def __init__(self, model: NextEmbedding) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch answers dim"]:
        return self.model.answers(x)


class _Gathered(torch.autograd.Function):
    """The shares of all processes, one after another; backwards the sum of what all of them ask of this one's."""

    @staticmethod
    def forward(ctx: Any, share: Float[Tensor, "share answers dim"], ranks: Ranks) -> Float[Tensor, "rows answers dim"]:
        ctx.ranks, ctx.size = ranks, len(share)
        shares = [torch.empty_like(share) for _ in range(ranks.world)]
        dist.all_gather(shares, share.contiguous())
        return torch.cat(shares)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        whole = gradients[0].contiguous()
        dist.all_reduce(whole)
        begin = ctx.ranks.rank * ctx.size
        return whole[begin : begin + ctx.size], None
