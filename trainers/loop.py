"""The one training loop: AdamW, plateau schedule, clipped gradients, best by validation loss (seed facts 1).

A recipe brings a configuration and an objective; the loop knows neither's reasons. Two runs of one
configuration give identical weights, interrupted or not: all randomness follows from (seed, epoch).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from rich.console import Console
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from harness.corpus import Corpus
from harness.device import resolve_device
from harness.errors import UserError
from harness.windows import Windows
from models.base import NextEmbedding
from models.position import append_position
from models.registry import build
from trainers.batches import batches, training_windows
from trainers.config import RunConfig
from trainers.losses import cosine
from trainers.progress import Tick, epoch_bar, say
from trainers.run_folder import EpochRecord, RunFolder
from trainers.seeding import epoch_order, make_deterministic, seed_epoch
from trainers.threads import cpu_threads
from trainers.validation import Validation, validate


@dataclass(frozen=True)
class Step:
    """What an objective may look at.

    Attributes:
        raw: (B, D) head output.
        target: (B, D) true next embedding.
        context: (B, C, D) what the network read, without a position channel.
        epoch: from 1.
    """

    raw: Float[Tensor, "batch dim"]
    target: Float[Tensor, "batch dim"]
    context: Float[Tensor, "batch context dim"]
    epoch: int

    @property
    def prediction(self) -> Float[Tensor, "batch dim"]:
        """(B, D) the unit prediction."""
        return functional.normalize(self.raw, dim=-1)


Objective = Callable[[Step], Tensor]


def train(
    config: RunConfig,
    corpus: Corpus,
    out: Path,
    objective: Objective,
    *,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> list[EpochRecord]:
    """Train a network and leave the run in ``out``.

    Args:
        config: the run.
        corpus: with TRAIN and VAL articles.
        out: folder for ``best_model.pt``, ``final_model.pt`` and ``training_history.json``.
        objective: scalar loss of one step.
        resume: continue the run in ``out``, bit for bit.
        overwrite: replace the run in ``out``.
        console: where progress goes; standard output by default.

    Returns:
        One record an epoch: epoch, train_loss, train_cosine, val_loss, val_cosine, lr.

    Raises:
        UserError: unusable corpus, device, sizes or folder; or the loss stopped being finite.
    """
    console = console or Console()
    device = resolve_device(config.device)
    make_deterministic(device)
    training, validation = training_windows(corpus, config.context)
    seed_epoch(config.seed, 0)
    model = build(config.model_type, **config.model_config(corpus.dim)).to(device)
    optimizer = AdamW(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    scheduler = ReduceLROnPlateau(optimizer, factor=config.factor, patience=config.patience)
    folder = RunFolder(out, config, corpus)
    history: list[EpochRecord] = []
    if resume:
        history = _restore(folder, model, optimizer, scheduler)
    else:
        folder.prepare(overwrite=overwrite)
    if len(history) >= config.epochs:
        say(console, f"{out}: {len(history)} epochs are done already; ask for more with --epochs.")
    with cpu_threads(model, config.threads):
        for epoch in range(len(history) + 1, config.epochs + 1):
            began = time.monotonic()
            lr = optimizer.param_groups[0]["lr"]
            title = f"epoch {epoch}/{config.epochs}"
            with epoch_bar(console, title, math.ceil(len(training) / config.batch_size)) as tick:
                loss, cos = _epoch(config, epoch, model, optimizer, training, objective, device, tick)
            val = validate(model, validation, config.position_scale, device)
            _require_finite(val.loss, f"the validation loss of epoch {epoch}", config)
            scheduler.step(val.loss)
            history.append(_record(epoch, loss, cos, val, lr))
            folder.save(
                history,
                model_state=model.state_dict(),
                optimizer_state=optimizer.state_dict(),
                scheduler_state=scheduler.state_dict(),
            )
            say(
                console,
                f"{title}: train loss {loss:.4e} cosine {cos:.4f}, val loss {val.loss:.4e} "
                f"cosine {val.cosine:.4f}, lr {lr:.2g}, {time.monotonic() - began:.1f} s",
            )
    return history


def _epoch(
    config: RunConfig,
    epoch: int,
    model: NextEmbedding,
    optimizer: AdamW,
    windows: Windows,
    objective: Objective,
    device: torch.device,
    tick: Tick,
) -> tuple[float, float]:
    """One pass over the training windows; mean loss and cosine over windows."""
    seed_epoch(config.seed, epoch)
    model.train()
    seen, loss_sum, cosine_sum = 0, 0.0, 0.0
    order = epoch_order(len(windows), config.seed, epoch)
    for number, batch in enumerate(batches(windows, order, config.batch_size, device), 1):
        scale = config.position_scale
        x = batch.context if scale is None else append_position(batch.context, scale)
        raw = model.raw(x)
        loss = objective(Step(raw, batch.target, batch.context, epoch))
        value = loss.item()
        _require_finite(value, f"the loss of batch {number} in epoch {epoch}", config)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        _require_finite(norm.item(), f"the gradient of batch {number} in epoch {epoch}", config)
        optimizer.step()
        seen += len(x)
        loss_sum += value * len(x)
        cosine_sum += float(cosine(raw.detach(), batch.target)) * len(x)
        tick(loss_sum / seen, cosine_sum / seen)
    return loss_sum / seen, cosine_sum / seen


def _restore(
    folder: RunFolder, model: NextEmbedding, optimizer: AdamW, scheduler: ReduceLROnPlateau
) -> list[EpochRecord]:
    """Put a run back where its last saved epoch left it; returns its history."""
    record = folder.read()
    try:
        model.load_state_dict(record["model_state_dict"])
        optimizer.load_state_dict(record["optimizer_state_dict"])
        scheduler.load_state_dict(record["training_state"]["scheduler"])
        return list(record["training_state"]["history"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder.path}: the saved run is damaged and cannot be resumed; start anew.") from error


def _record(epoch: int, loss: float, cos: float, val: Validation, lr: float) -> EpochRecord:
    return {
        "epoch": epoch,
        "train_loss": loss,
        "train_cosine": cos,
        "val_loss": val.loss,
        "val_cosine": val.cosine,
        "lr": lr,
    }


def _require_finite(value: float, what: str, config: RunConfig) -> None:
    if not math.isfinite(value):
        raise UserError(
            f"training stopped: {what} is {value}; epochs saved before are kept, start again with an --lr "
            f"below {config.lr:g}."
        )
