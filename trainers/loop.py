"""The one training loop: AdamW, plateau schedule, clipped gradients, a sentinel (docs/sources.md, "Training").

A recipe brings an architecture, an objective and its schedules; the loop knows none of their reasons. Two runs of one
configuration give identical weights, interrupted or not: all randomness follows from (seed, epoch), and of what torch
has drawn inside an epoch the state is kept (`trainers.position`).
"""

import math
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.processes import ranks
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.splitting import split_digest
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.predictors.architectures import build
from lvm_gates.harness.predictors.checkpoint import Checkpoint
from lvm_gates.models.base import NextEmbedding
from lvm_gates.trainers.averaging import WeightAverage
from lvm_gates.trainers.batches import training_windows
from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.epoch import Run, steps, train_epoch
from lvm_gates.trainers.finite import require_finite
from lvm_gates.trainers.network import network_of
from lvm_gates.trainers.position import Position
from lvm_gates.trainers.progress import epoch_bar, say
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.run_folder import EpochRecord, RunFolder, States
from lvm_gates.trainers.schedule import ramped_together
from lvm_gates.trainers.seeding import make_deterministic, seed_epoch
from lvm_gates.trainers.sentinel import Sentinel
from lvm_gates.trainers.sentinel_rules import selection
from lvm_gates.trainers.start import model_config_of, require_reads, restore, start_from
from lvm_gates.trainers.threads import cpu_threads
from lvm_gates.trainers.validation import validate
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
    group = ranks()
    console = console or group.console()
    device = group.device(config.device)
    make_deterministic(device)
    if config.context < recipe.needs.frames:
        raise UserError(
            f"--context {config.context}: {config.recipe} as asked for compares with the frame before the last; give "
            f"at least {recipe.needs.frames}."
        )
    training, validation = training_windows(corpus, config.context, recipe.needs.target)
    group.require_same(f"{corpus.fingerprint} {split_digest(corpus.article_ids, corpus.splits)}", "corpus")
    seed_epoch(config.seed, 0)
    training_of = config.training
    model_config = model_config_of(recipe, corpus.dim, training_of.network)
    model = build(recipe.model_type, **model_config)
    if start is not None:
        start_from(model, start, recipe.model_type, model_config)
    model = model.to(device)
    require_reads(model, config.context, device)
    if recipe.prepare is not None and start is None and not resume:
        recipe.prepare(model, training)
    optimizer = adamw(model, config)
    scheduler = ReduceLROnPlateau(optimizer, factor=training_of.rate.factor, patience=training_of.rate.patience)
    folder = RunFolder(out, config, corpus, recipe.model_type, model_config, start)
    history: list[EpochRecord] = []
    position: Position | None = None
    network = network_of(model, device, config.seed, group)
    # After the network, whose weights are then those of the first process.
    average = WeightAverage(model, training_of.average.decay) if training_of.average.decay else None
    run = Run(config, recipe, model, optimizer, training, device, network, average)
    # Stages that cannot be read are refused now, not in epoch 5, and before an old run is deleted.
    sizes = [len(run.epoch_windows(epoch)) for epoch in range(1, config.epochs + 1)]
    sentinel = open_sentinel(config, corpus, min(sizes)) if group.first else None
    if resume:
        history, position = restore(folder, model, optimizer, scheduler, average)
        group.require_same(f"{len(history)} {position.step if position else 0}", "saved run")
    if group.first:
        folder.claim(history, resume=resume, overwrite=overwrite)
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
            begin, position = position, None
            save = partial(_save_unfinished, run, folder, scheduler, history) if group.first else None
            with epoch_bar(console, title, steps(windows, config), begin.step if begin else 0) as tick:
                means = train_epoch(run, epoch, windows, tick, auxiliary=auxiliary, begin=begin, save=save)
            record |= {f"train_{name}": value for name, value in means.all().items()}
            # Judged once: another machine may round otherwise, and what follows from it must not differ.
            record |= group.from_first(_judge(run, validation, sentinel, epoch) if group.first else {})
            if training_of.rate.schedule == "plateau":
                scheduler.step(record["val_loss"])
            history.append(record)
            if group.first:
                folder.save(history, _states(run, scheduler))
            say(console, f"{title}: {_line(record)}, {time.monotonic() - began:.0f} s")
            for sentence in remarks(config.sentinel, history) if "sentinel" in record else ():
                say(console, f"sentinel: {sentence}")
        require_no_abort(config.sentinel, history)
    return history


def adamw(model: NextEmbedding, config: RunConfig) -> AdamW:
    """The optimiser as its settings have it."""
    asked = config.training.optimizer
    return AdamW(
        model.parameters(),
        lr=config.lr,
        betas=(asked.beta1, asked.beta2),
        eps=asked.epsilon,
        weight_decay=asked.weight_decay,
        # A third of the time of the plain loop over parameters, which is a sixth of a small network's step.
        fused=True,
    )


def _judge(run: Run, validation: Windows, sentinel: Sentinel | None, epoch: int) -> EpochRecord:
    """What VAL and the sentinel say of an epoch, as its record has it."""
    config, scale = run.config, run.scale(epoch)
    val = validate(run.judged, validation, scale, run.device, run.recipe.needs.target)
    require_finite(val.loss, f"the validation loss of epoch {epoch}", config)
    reading = None if sentinel is None else look(sentinel, run, epoch)
    score = selection(config.select, val.cosine, val.margin_vs_last, reading)
    found: EpochRecord = {"val_loss": val.loss, "val_cosine": val.cosine, "val_margin": val.margin_vs_last}
    found["score"] = score if math.isfinite(score) else None
    return found if reading is None else {**found, "sentinel": recorded(reading)}


def _save_unfinished(
    run: Run, folder: RunFolder, scheduler: ReduceLROnPlateau, history: list[EpochRecord], position: Position
) -> None:
    folder.save_unfinished(history, _states(run, scheduler), position, run.scale(len(history) + 1))


def _states(run: Run, scheduler: ReduceLROnPlateau) -> States:
    states = States(run.judged.state_dict(), run.optimizer.state_dict(), scheduler.state_dict())
    if run.average is None:
        return states
    return states._replace(trained=run.model.state_dict(), averaged_steps=run.average.steps)


def _line(record: EpochRecord) -> str:
    """One epoch in one line of 80 columns; the history has the rest."""
    text = (
        f"loss {record['train_loss']:.2e} cos {_short(record['train_cosine'])}, "
        f"val cos {_short(record['val_cosine'])} vs-last {_short(record['val_margin'], '+')}"
    )
    if "sentinel" in record:
        lift = record["sentinel"]["skill_cosine"]["value"]
        text += " lift n/a" if lift is None else f" lift {_short(lift, '+')}"
    return text


def _short(cosine: float, sign: str = "-") -> str:
    """Three digits, without the zero before the point."""
    return f"{cosine:{sign}.3f}".replace("0.", ".", 1)
