"""Command-line options that every recipe has; no torch here, since `lvm-train --help` must be instant."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource

from lvm_gates.trainers.config import Precision, Select, SentinelMode

if TYPE_CHECKING:
    from lvm_gates.harness.corpus.corpus import Corpus

Command = Callable[..., Any]


def run_options(
    recipe: str, *, epochs: int | None, batch_size: int, lr: float = 5e-4, context: int = 5, select: Select
) -> Callable[[Command], Command]:
    """Decorate a command with the options of a run, this recipe's defaults filled in."""
    positive = click.IntRange(min=1)
    options = [
        click.option(
            "--corpus", type=click.Path(path_type=Path), help="Corpus folder [default: built-in synthetic dataset]."
        ),
        click.option("--out", type=click.Path(path_type=Path), default=Path("runs") / recipe, show_default=True),
        click.option("--epochs", type=positive, default=epochs, show_default=epochs is not None or "as documented"),
        click.option("--batch-size", type=positive, default=batch_size, show_default=True),
        click.option(
            "--lr", type=click.FloatRange(min=0, min_open=True), default=lr, show_default=True, callback=finite
        ),
        click.option("--context", type=positive, default=context, show_default=True, help="Chunks the network reads."),
        click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
        click.option(
            "--select",
            type=click.Choice(get_args(Select)),
            default=select,
            show_default=True,
            help="What best_model.pt is best in.",
        ),
        click.option(
            "--sentinel",
            type=click.Choice(get_args(SentinelMode)),
            default="watch",
            show_default=True,
            help="watch: gate up to 500 VAL windows after each epoch; act: drop auxiliary terms, stop a collapsed run.",
        ),
        click.option("--precision", type=click.Choice(get_args(Precision)), default="auto", show_default=True),
        click.option("--device", default="cpu", show_default=True, metavar="cpu|cuda|mps"),
        click.option("--threads", type=positive, help="CPU threads [default: 1 below 5 million parameters]."),
        click.option(
            "--checkpoint-every",
            type=positive,
            metavar="STEPS",
            help="Save inside an epoch too, so that --resume goes on there [default: every five minutes].",
        ),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="NAME=VALUE",
            help="A setting, such as optimizer.clip=.5; repeat. --show-settings names them all.",
        ),
        click.option(
            "--settings", "settings_file", type=click.Path(path_type=Path), metavar="FILE", help="A TOML file of them."
        ),
        click.option("--show-settings", is_flag=True, help="Print all settings as such a file, and stop."),
        click.option("--resume", is_flag=True, help="Continue the run in --out, bit for bit."),
        click.option("--overwrite", is_flag=True, help="Replace the run in --out."),
    ]
    return apply(options)


def size_options(*, width: int, layers: int, heads: int) -> Callable[[Command], Command]:
    """Decorate a command with the sizes of a transformer; smaller ones train in minutes on a CPU."""
    positive = click.IntRange(min=1)
    options = [
        click.option("--width", type=positive, default=width, show_default=True, help="Model width."),
        click.option("--layers", type=positive, default=layers, show_default=True, help="Layers."),
        click.option("--heads", type=positive, default=heads, show_default=True, help="Attention heads."),
    ]
    return apply(options)


def as_published(difference: str) -> Callable[[Command], Command]:
    """The switch from what the documents say to what the original code did; ``difference`` says in what."""
    return click.option("--as-published", is_flag=True, help=f"Do as the original code did: {difference}.")


def open_training_corpus(folder: Path | None) -> "Corpus":
    """The corpus asked for, or the built-in synthetic dataset."""
    if folder is not None:
        from lvm_gates.harness.corpus.corpus import open_corpus

        return open_corpus(folder)
    from lvm_gates.harness.worlds.world import default_corpus

    return default_corpus()


def finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse what Click lets through every range: NaN, and infinity where a range is open."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number; give one.")
    return value


def asked(option: str) -> bool:
    """Whether the user gave an option, by its parameter's name, and not its default."""
    source = click.get_current_context().get_parameter_source(option)
    return source not in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def refuse_beside(switch: str, *options: str) -> None:
    """Refuse options that ``switch`` leaves without effect.

    Raises:
        UsageError: the user gave one of them.
    """
    for option in options:
        if asked(option):
            flag = f"--{option.replace('_', '-')}"
            raise click.UsageError(f"{flag} has no effect beside {switch}; leave it out.")


def apply(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Several options as one decorator, listed by ``--help`` in this order."""

    def decorate(command: Command) -> Command:
        # Click lists options in the order in which decorators stand, outermost first.
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
