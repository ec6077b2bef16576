"""One pass over the training windows."""

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW

from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.models.band_gated import labelled
from lvm_gates.models.base import NextEmbedding
from lvm_gates.models.position import with_position
from lvm_gates.trainers.averaging import WeightAverage
from lvm_gates.trainers.batches import Batch, Gatherer
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.losses import cosine
from lvm_gates.trainers.network import Network
from lvm_gates.trainers.objective import Step
from lvm_gates.trainers.position import Pace, Position, generator_states, restore_generators
from lvm_gates.trainers.progress import Tick
from lvm_gates.trainers.rate import multiplied, rate_factor
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.seeding import epoch_order, negatives_rng, seed_epoch
from lvm_gates.trainers.step_log import READ_EVERY, Means, StepLog

Save = Callable[[Position], None]


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
        network: ``model`` as it is asked in training.
        average: of its weights, None where the last ones count.
    """

    config: RunConfig
    recipe: Recipe
    model: NextEmbedding
    optimizer: AdamW
    windows: Windows
    device: torch.device
    network: Network
    average: WeightAverage | None = None

    @cached_property
    def labels(self) -> Int[Tensor, " articles"] | None:
        """(A,) what the network is told of each article in training."""
        labels = self.recipe.labels
        return None if labels is None else torch.from_numpy(labels).to(self.device)

    @property
    def judged(self) -> NextEmbedding:
        """The network as it is validated, watched and saved."""
        return self.model if self.average is None else self.average.judged()

    def scale(self, epoch: int) -> float | None:
        """Scale of the position channel in ``epoch``, None without one."""
        schedule = self.recipe.position_scale
        return None if schedule is None else schedule.at(epoch)

    def answers(
        self, context: Float[Tensor, "batch context dim"], epoch: int, article: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch answers dim"]:
        """(B, N, D) float32 head outputs, computed in the precision of the run."""
        read = self._read(context, epoch, article)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=_mixed(self.config, self.device)):
            return self.network.answers(read)

    @torch.no_grad()
    def answer(
        self, context: Float[Tensor, "batch context dim"], epoch: int, article: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch dim"]:
        """(B, D) unit predictions of the network as it is judged, in float32; every process makes all of them."""
        network = self.judged
        training = network.training
        try:
            answered: Tensor = network.eval()(self._read(context, epoch, article))
            return answered
        finally:
            network.train(training)

    def _read(
        self, context: Float[Tensor, "batch context dim"], epoch: int, article: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch context input"]:
        read = with_position(context, self.scale(epoch))
        return read if self.labels is None else labelled(read, self.labels[article])

    def epoch_windows(self, epoch: int) -> Windows:
        """The windows of one epoch: all, or what the curriculum selects."""
        select = self.recipe.select_windows
        return self.windows if select is None else select(self.windows, epoch)


def train_epoch(
    run: Run,
    epoch: int,
    windows: Windows,
    tick: Tick,
    *,
    auxiliary: bool,
    begin: Position | None = None,
    save: Save | None = None,
) -> Means:
    """Descend once over ``windows``.

    Args:
        run: the run.
        epoch: from 1; decides every random number.
        windows: of this epoch.
        tick: called every few steps with the running means of loss, cosine and margin over the last frame.
        auxiliary: whether the recipe's auxiliary terms are on.
        begin: where an interrupted epoch stood; its weights and its optimiser are in ``run`` already.
        save: called between two steps whenever it is time (`trainers.position.Pace`).

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
    done, means = (0, Means()) if begin is None else (begin.step, begin.means)
    if begin is not None:
        restore_generators(begin.generators, run.device)
    log, pace, last = StepLog(config, epoch, means), Pace(config.checkpoint_every), steps(windows, config)
    rate = config.training.rate
    batches = gatherer.batches(windows, order, config.batch_size, skip=done)
    with closing(batches):
        for number, batch in enumerate(batches, done + 1):
            factor = rate_factor(rate, epoch - 1 + number / last, config.epochs)
            _descend(run, epoch, number, batch, auxiliary, factor, log)
            saves = save is not None and number < last and pace.due(number)
            if saves or number % READ_EVERY == 0 or number == last:
                read = log.read()
                tick(read, means["loss"], means["cosine"], means["margin"])
            if save is not None and saves:
                save(Position(number, means, generator_states(run.device)))
    return means


def _descend(run: Run, epoch: int, number: int, batch: Batch, auxiliary: bool, factor: float, log: StepLog) -> None:
    """One step; nothing in it waits for the device."""
    recipe, config = run.recipe, run.config
    run.network.begin(epoch, number)
    read = batch.context if recipe.augment is None else recipe.augment(batch.context, epoch)
    step = _step(run.answers(read, epoch, batch.article), batch, read, epoch, auxiliary, run)
    loss = recipe.objective(step)
    run.optimizer.zero_grad()
    loss.total.backward()  # type: ignore[no-untyped-call]
    # All at once: the same bits in a sixth less time than one parameter after another.
    clip = config.training.optimizer.clip
    norm = torch.nn.utils.clip_grad_norm_(run.optimizer.param_groups[0]["params"], clip, foreach=True)
    with multiplied(run.optimizer, factor):
        run.optimizer.step()
    if run.average is not None:
        run.average.update()
    with torch.no_grad():
        cos = cosine(step.raw, batch.target)
        margin_vs_last = cos - cosine(step.raw, step.last)
    parts = {f"loss.{name}": part for name, part in loss.parts.items()}
    log.add(number, len(read), {"loss": loss.total, "cosine": cos, "margin": margin_vs_last, **parts}, norm)


def _step(
    answers: Float[Tensor, "batch answers dim"],
    batch: Batch,
    read: Float[Tensor, "batch context dim"],
    epoch: int,
    auxiliary: bool,
    run: Run,
) -> Step:
    return Step(
        raw=answers[:, 0],
        answers=answers,
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
        predict=lambda context: functional.normalize(
            run.answers(context, epoch, batch.article[: len(context)])[:, 0], dim=-1
        ),
        answer=lambda context: run.answer(context, epoch, batch.article[: len(context)]),
    )


def _mixed(config: RunConfig, device: torch.device) -> bool:
    """Whether the forward pass runs in bfloat16, which needs no loss scaling."""
    return config.precision == "bfloat16" or (config.precision == "auto" and device.type == "cuda")


def steps(windows: Windows, config: RunConfig) -> int:
    """Batches in an epoch over ``windows``."""
    return math.ceil(len(windows) / config.batch_size)
