"""One pass over the training windows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.models.base import NextEmbedding
from lvm_gates.models.position import with_position
from lvm_gates.trainers.batches import Batch, Gatherer
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.losses import cosine
from lvm_gates.trainers.objective import Step
from lvm_gates.trainers.progress import Tick
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.seeding import epoch_order, negatives_rng, seed_epoch


@dataclass(frozen=True)
class Run:
    """What every epoch of a run shares.

    Attributes:
        config: the run.
        recipe: its recipe.
        model: the network, on ``device``.
        optimizer: over its parameters.
        windows: all training windows.
        device: where it trains.
    """

    config: RunConfig
    recipe: Recipe
    model: NextEmbedding
    optimizer: AdamW
    windows: Windows
    device: torch.device

    def scale(self, epoch: int) -> float | None:
        """Scale of the position channel in ``epoch``, None without one."""
        schedule = self.recipe.position_scale
        return None if schedule is None else schedule.at(epoch)

    def raw(self, context: Float[Tensor, "batch context dim"], epoch: int) -> Float[Tensor, "batch dim"]:
        """(B, D) float32 head output, computed in the precision of the run."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=_mixed(self.config, self.device)):
            return self.model.raw(with_position(context, self.scale(epoch))).float()

    def epoch_windows(self, epoch: int) -> Windows:
        """The windows of one epoch: all, or what the curriculum selects."""
        select = self.recipe.select_windows
        return self.windows if select is None else select(self.windows, epoch)


@dataclass
class Means:
    """Means over windows of whatever the steps report; each metric over the windows it was computed on."""

    sums: dict[str, float] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, metrics: Mapping[str, Tensor | float], n: int) -> None:
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * n
            self.seen[name] = self.seen.get(name, 0) + n

    def __getitem__(self, name: str) -> float:
        return self.sums[name] / self.seen[name]

    def all(self) -> dict[str, float]:
        return {name: self[name] for name in self.sums}


def train_epoch(run: Run, epoch: int, windows: Windows, tick: Tick, *, auxiliary: bool) -> Means:
    """Descend once over ``windows``.

    Args:
        run: the run.
        epoch: from 1; decides every random number.
        windows: of this epoch.
        tick: called after each step with the running means of loss, cosine and margin over the last frame.
        auxiliary: whether the recipe's auxiliary terms are on.

    Returns:
        Means of ``loss``, ``cosine`` to the target, ``margin`` (minus the cosine to the last frame) and of the
        objective's parts, as ``loss.NAME``.

    Raises:
        UserError: the loss or its gradient stopped being finite.
    """
    config, recipe, model = run.config, run.recipe, run.model
    seed_epoch(config.seed, epoch)
    model.train()
    gatherer = Gatherer(recipe.needs, run.device, negatives_rng(config.seed, epoch), run.windows.targets)
    order = epoch_order(len(windows), config.seed, epoch)
    means = Means()
    for number, batch in enumerate(gatherer.batches(windows, order, config.batch_size), 1):
        read = batch.context if recipe.augment is None else recipe.augment(batch.context, epoch)
        step = _step(run.raw(read, epoch), batch, read, epoch, auxiliary, run)
        loss = recipe.objective(step)
        value = loss.total.item()
        require_finite(value, f"the loss of batch {number} in epoch {epoch}", config)
        run.optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        require_finite(norm.item(), f"the gradient of batch {number} in epoch {epoch}", config)
        run.optimizer.step()
        with torch.no_grad():
            cos = cosine(step.raw, batch.target)
            margin_vs_last = cos - cosine(step.raw, step.last)
        parts = {
            f"loss.{name}": float(part.detach() if isinstance(part, Tensor) else part)
            for name, part in loss.parts.items()
        }
        means.add({"loss": value, "cosine": cos, "margin": margin_vs_last, **parts}, len(read))
        tick(means["loss"], means["cosine"], means["margin"])
    return means


def _step(
    raw: Float[Tensor, "batch dim"],
    batch: Batch,
    read: Float[Tensor, "batch context dim"],
    epoch: int,
    auxiliary: bool,
    run: Run,
) -> Step:
    return Step(
        raw=raw,
        target=batch.target,
        read=read,
        context=batch.context,
        before=batch.before,
        future=batch.future,
        future_exists=batch.future_exists,
        negatives=batch.negatives,
        article=batch.article,
        epoch=epoch,
        auxiliary=auxiliary,
        predict=lambda context: functional.normalize(run.raw(context, epoch), dim=-1),
    )


def _mixed(config: RunConfig, device: torch.device) -> bool:
    """Whether the forward pass runs in bfloat16, which needs no loss scaling."""
    return config.precision == "bfloat16" or (config.precision == "auto" and device.type == "cuda")


def require_finite(value: float, what: str, config: RunConfig) -> None:
    """Stop a run whose loss is no longer a number.

    Raises:
        UserError: ``value`` is NaN or infinite.
    """
    if not np.isfinite(value):
        raise UserError(
            f"training stopped: {what} is {value}; epochs saved before, if any, are kept, start again with an --lr "
            f"below {config.lr:g}."
        )


def steps(windows: Windows, config: RunConfig) -> int:
    """Batches in an epoch over ``windows``."""
    return math.ceil(len(windows) / config.batch_size)
