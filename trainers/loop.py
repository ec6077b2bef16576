"""The one training loop: AdamW, plateau schedule, clipped gradients, a sentinel (docs/sources.md, "Training").

A recipe brings an architecture, an objective and its schedules; the loop knows none of their reasons. Two runs of one
configuration give identical weights, interrupted or not: all randomness follows from (seed, epoch).
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lvm_gates.harness.base.device import resolve_device
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.predictors.architectures import build
from lvm_gates.harness.predictors.checkpoint import Checkpoint
from lvm_gates.models.base import NextEmbedding
from lvm_gates.trainers.batches import training_windows
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.epoch import Run, require_finite, steps, train_epoch
from lvm_gates.trainers.progress import epoch_bar, say
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.run_folder import EpochRecord, RunFolder
from lvm_gates.trainers.schedule import ramped_together
from lvm_gates.trainers.seeding import make_deterministic, seed_epoch
from lvm_gates.trainers.sentinel_rules import Reading, selection
from lvm_gates.trainers.threads import cpu_threads
from lvm_gates.trainers.validation import Validation, validate
from lvm_gates.trainers.watch import keeps_auxiliary, look, open_sentinel, recorded, remarks, require_no_abort


def train(
    config: RunConfig,
    recipe: Recipe,
    corpus: Corpus,
    out: Path,
    *,
    start: Checkpoint | None = None,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> list[EpochRecord]:
    """Train a network and leave the run in ``out``.

    Args:
        config: the run.
        recipe: what is trained.
        corpus: with TRAIN and VAL articles.
        out: folder for ``best_model.pt``, ``final_model.pt``, ``epochs/`` and ``training_history.json``.
        start: whose weights to start from; fresh ones by default.
        resume: continue the run in ``out``, bit for bit.
        overwrite: replace the run in ``out``.
        console: where progress goes; standard output by default.

    Returns:
        One record an epoch; `trainers.run_folder` lists its fields.

    Raises:
        UserError: unusable corpus, device, sizes or folder; the loss stopped being finite; or the sentinel, told to
            act, stopped the run.
    """
    console = console or Console()
    device = resolve_device(config.device)
    make_deterministic(device)
    if config.context < recipe.needs.frames:
        raise UserError(
            f"--context {config.context}: {config.recipe} as asked for compares with the frame before the last; give "
            f"at least {recipe.needs.frames}."
        )
    training, validation = training_windows(corpus, config.context, recipe.needs.target)
    seed_epoch(config.seed, 0)
    model_config = _model_config(recipe, corpus.dim)
    model = build(recipe.model_type, **model_config)
    if start is not None:
        _start_from(model, start, recipe.model_type, model_config)
    model = model.to(device)
    _require_reads(model, config.context, device)
    # Fused: a third of the time of the plain loop over parameters, which is a sixth of a small network's step.
    optimizer = AdamW(model.parameters(), lr=config.lr, weight_decay=recipe.weight_decay, fused=True)
    scheduler = ReduceLROnPlateau(optimizer, factor=config.factor, patience=config.patience)
    folder = RunFolder(out, config, corpus, recipe.model_type, model_config, start)
    history: list[EpochRecord] = []
    run = Run(config, recipe, model, optimizer, training, device)
    # Stages that cannot be read are refused now, not in epoch 5, and before an old run is deleted.
    sizes = [len(run.epoch_windows(epoch)) for epoch in range(1, config.epochs + 1)]
    sentinel = open_sentinel(config, corpus, min(sizes))
    if resume:
        history = _restore(folder, model, optimizer, scheduler)
    else:
        folder.prepare(overwrite=overwrite)
    if len(history) >= config.epochs:
        say(console, f"{out}: {len(history)} epochs are done already; ask for more with --epochs.")
    for warning in ramped_together(recipe.schedules, config.epochs):
        say(console, f"warning: {warning}")
    with cpu_threads(model, config.threads):
        for epoch in range(len(history) + 1, config.epochs + 1):
            require_no_abort(config.sentinel, history)
            began = time.monotonic()
            if recipe.tune is not None:
                recipe.tune(model, epoch)
            title = f"epoch {epoch}/{config.epochs}"
            windows = run.epoch_windows(epoch)
            auxiliary = keeps_auxiliary(config.sentinel, history)
            record: EpochRecord = {
                "epoch": epoch,
                "windows": len(windows),
                "lr": optimizer.param_groups[0]["lr"],
                "position_scale": run.scale(epoch),
                "guards": auxiliary,
            }
            with epoch_bar(console, title, steps(windows, config)) as tick:
                means = train_epoch(run, epoch, windows, tick, auxiliary=auxiliary)
            val = validate(model, validation, run.scale(epoch), device, recipe.needs.target)
            require_finite(val.loss, f"the validation loss of epoch {epoch}", config)
            if recipe.plateau:
                scheduler.step(val.loss)
            reading = None if sentinel is None else look(sentinel, run, epoch)
            record |= {f"train_{name}": value for name, value in means.all().items()}
            record |= {"val_loss": val.loss, "val_cosine": val.cosine, "val_margin": val.margin_vs_last}
            score = selection(config.select, val.cosine, val.margin_vs_last, reading)
            record["score"] = score if math.isfinite(score) else None
            if reading is not None:
                record["sentinel"] = recorded(reading)
            history.append(record)
            folder.save(
                history,
                model_state=model.state_dict(),
                optimizer_state=optimizer.state_dict(),
                scheduler_state=scheduler.state_dict(),
            )
            say(console, f"{title}: {_line(record, val, reading)}, {time.monotonic() - began:.0f} s")
            for sentence in remarks(config.sentinel, history) if reading is not None else ():
                say(console, f"sentinel: {sentence}")
        require_no_abort(config.sentinel, history)
    return history


def _model_config(recipe: Recipe, dim: int) -> dict[str, Any]:
    """Constructor arguments of the network for embeddings ``dim`` wide."""
    channel = 0 if recipe.position_scale is None else 1
    return {"input_dim": dim + channel, "output_dim": dim, **recipe.model}


def _require_reads(model: NextEmbedding, context: int, device: torch.device) -> None:
    """Refuse a context that the network has no positions for, before anything is deleted."""
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, context, model.input_dim, device=device))
    except ValueError as error:
        raise UserError(f"--context {context}: {error}; give a shorter one.") from error


def _start_from(model: NextEmbedding, start: Checkpoint, model_type: str, model_config: Mapping[str, Any]) -> None:
    """Take over weights, of the same network only: shapes alone do not tell heads."""
    state = start.module.state_dict()
    found = {"model_type": start.model_type}
    if start.model_type == model_type:
        recorded = start.metadata.get("model_config")
        found |= type(model).config_from(state, recorded if isinstance(recorded, dict) else {})
    wanted = {"model_type": model_type, **model_config}
    differences = [
        f"{key} {found[key]}, here {wanted[key]}" for key in found if found[key] != wanted.get(key, found[key])
    ]
    if differences:
        raise UserError(
            f"{start.path}: is another network than this run's ({'; '.join(differences)}); start from a checkpoint of "
            "this architecture and these sizes."
        )
    model.load_state_dict(state)


def _restore(
    folder: RunFolder, model: NextEmbedding, optimizer: AdamW, scheduler: ReduceLROnPlateau
) -> list[EpochRecord]:
    """Put a run back where its last saved epoch left it; returns its history."""
    record = folder.read()
    try:
        model.load_state_dict(record["model_state_dict"])
        optimizer.load_state_dict(record["optimizer_state_dict"])
        scheduler.load_state_dict(record["training_state"]["scheduler"])
        history = list(record["training_state"]["history"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{folder.path}: the saved run is damaged and cannot be resumed; start anew.") from error
    folder.mend_history(history)
    return history


def _line(record: EpochRecord, val: Validation, reading: Reading | None) -> str:
    """One epoch in one line of 80 columns; the history has the rest."""
    text = (
        f"loss {record['train_loss']:.2e} cos {_short(record['train_cosine'])}, "
        f"val cos {_short(val.cosine)} vs-last {_short(val.margin_vs_last, '+')}"
    )
    if reading is not None:
        lift = reading.metrics["skill_cosine"]["value"]
        text += " lift n/a" if lift is None else f" lift {_short(lift, '+')}"
    return text


def _short(cosine: float, sign: str = "-") -> str:
    """Three digits, without the zero before the point."""
    return f"{cosine:{sign}.3f}".replace("0.", ".", 1)
