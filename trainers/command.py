"""A recipe function as a Click command: its options, then a run of the one loop."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lvm_gates.trainers.config import NEEDS_NO_SENTINEL, RunConfig, Select
from lvm_gates.trainers.declared import Declared, Options, RecipeCommand, over
from lvm_gates.trainers.launched import as_started
from lvm_gates.trainers.options import Command, apply, open_training_corpus, refuse_beside, run_options, size_options
from lvm_gates.trainers.settings import NoSettings, as_plain
from lvm_gates.trainers.training_settings import Training

if TYPE_CHECKING:
    from lvm_gates.trainers.recipe import Recipe

# What says how a run is carried out rather than what it is; the rest of a recipe's options is recorded.
RUN = (
    *("epochs", "batch_size", "lr", "context", "seed", "select", "sentinel"),
    *("precision", "device", "threads", "checkpoint_every"),
)
ELSEWHERE = ("corpus", "out", "resume", "overwrite", "recover", "settings")
History = list[dict[str, Any]]

__all__ = ["History", "Options", "first_line", "recipe_command", "run", "sizes"]


def recipe_command(
    name: str,
    *,
    epochs: int | Callable[[Options], int],
    batch_size: int,
    lr: float = 5e-4,
    context: int = 5,
    sized: bool = True,
    select: Select = "val_cos",
    options: Sequence[Callable[[Command], Command]] = (),
    settings: Any = None,
    training: Training = Training(),
) -> Callable[[Callable[..., "Recipe"]], click.Command]:
    """Turn a function that builds a recipe into a subcommand of ``lvm-train``.

    The function gets the options, and the settings if there are any: each field is then an option by its dotted path,
    typed, bounded, recorded and varied by a grid (`trainers.settings`).

    Args:
        name: of the subcommand.
        epochs: documented number, or a function of the options where it depends on them.
        batch_size: documented size.
        lr: documented learning rate.
        context: documented frames.
        sized: whether the network has the sizes of a transformer.
        select: documented criterion of the best checkpoint.
        options: the recipe's own Click options.
        settings: a frozen dataclass with the documented values, or a function of the options that makes one.
        training: documented values of what every recipe can be told.
    """

    def decorate(build: Callable[..., "Recipe"]) -> click.Command:
        defaults = settings if callable(settings) else lambda _: NoSettings() if settings is None else settings
        builds = (lambda given, _: build(given)) if settings is None else build
        declared = Declared(name, builds, defaults, training)

        @click.command(name, cls=RecipeCommand, declared=declared, help=build.__doc__, short_help=first_line(build))
        @apply(options)
        @apply([size_options(width=512, layers=4, heads=8)] if sized else [])
        @run_options(
            name,
            epochs=None if callable(epochs) else epochs,
            batch_size=batch_size,
            lr=lr,
            context=context,
            select=select,
        )
        def command(**given: Any) -> History:
            if callable(epochs) and given["epochs"] is None:
                given["epochs"] = epochs(given)
            return run(declared, as_started(given))

        return command

    return decorate


def first_line(function: Callable[..., Any]) -> str:
    """What a list of commands says of one: Click would cut it after a few words."""
    return (function.__doc__ or "").partition("\n")[0]


def run(declared: Declared, given: Options, out: Path | None = None) -> History:
    """Train a recipe as asked for on the command line.

    Args:
        declared: the recipe.
        given: every option, and the settings.
        out: in place of ``--out``.

    Returns:
        The run's history.

    Raises:
        UserError: see `trainers.loop.train`.
    """
    if given["resume"] and given["overwrite"]:
        raise click.UsageError("--resume and --overwrite exclude each other; give one.")
    if given["select"] not in NEEDS_NO_SENTINEL and given["sentinel"] == "off":
        raise click.UsageError(f"--select {given['select']} asks the sentinel; give --sentinel watch with it.")
    from rich.console import Console

    from lvm_gates.harness.base.processes import ranks
    from lvm_gates.trainers.interruption import saying_how_to_go_on
    from lvm_gates.trainers.loop import train
    from lvm_gates.trainers.one_writer import only_writer

    start = _checkpoint(given.get("recover"))
    options = {key: _path_as_text(value) for key, value in given.items() if key not in RUN + ELSEWHERE}
    if given.get("stages") is not None:
        from lvm_gates.harness.corpus.curriculum_files import stages_digest

        refuse_beside("--stages", "score")
        # What the stages are, not where: written anew they make another run.
        options |= {"score": None, "stages": stages_digest(given["stages"])}
    settings = over(given["settings"], given["epochs"])
    config = RunConfig(
        recipe=declared.name,
        options=options,
        training=settings.training,
        settings=as_plain(settings.own),
        start_from=None if start is None else start.sha256,
        processes=ranks().world,
        **{key: given[key] for key in RUN},
    )
    corpus = open_training_corpus(given["corpus"])
    folder = out or given["out"]
    # A grid asks for silence.
    console = click.get_current_context().find_object(Console)
    going_on = saying_how_to_go_on(given, folder, in_grid=console is not None)
    writer = only_writer(folder, make=not given["resume"]) if ranks().first else nullcontext()
    with going_on, writer:
        return train(
            config,
            declared.build(given, settings.own),
            corpus,
            folder,
            start=start,
            resume=given["resume"],
            overwrite=given["overwrite"],
            console=console,
        )


def sizes(given: Options) -> dict[str, Any]:
    """Sizes of a transformer, as its constructor calls them."""
    return {"width": given["width"], "depth": given["layers"], "heads": given["heads"]}


def _path_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _checkpoint(path: Path | None) -> Any:
    if path is None:
        return None
    from lvm_gates.harness.predictors.checkpoint import load_checkpoint

    return load_checkpoint(path)
