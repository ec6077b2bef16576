"""``lvm-train grid``: one recipe under every combination of some options, one line a run."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.launched import launched
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.trainers.saved import resumable


@click.command(
    context_settings={"ignore_unknown_options": True}, short_help="Train a recipe under combinations of its options."
)
@click.option(
    "--vary",
    multiple=True,
    required=True,
    metavar="NAME=A,B,...",
    help="An option or a setting (RECIPE --show-settings) and its values; repeat.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the runs.")
@click.argument("recipe")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def grid(context: click.Context, vary: Sequence[str], out: Path, recipe: str, arguments: Sequence[str]) -> None:
    """Train RECIPE under every combination of the --vary options and settings; ARGUMENTS go to each run.

    Every run has its own folder in --out. The same command goes on where it was interrupted: finished runs are not
    repeated, an unfinished one is resumed. A run that fails is reported, and the others go on.

    lvm-train grid p7 --vary margin=.07,.10 --vary anchor-share=.7,.8 --out runs/grid --epochs 5
    """
    import io

    from rich.console import Console

    if launched():
        raise click.UsageError("a grid is one process; give torchrun one recipe at a time.")
    group = context.parent.command if context.parent else None
    commands = group.commands if isinstance(group, click.Group) else {}
    # A recipe named by its module, too: only the group knows how it is found.
    command = group.get_command(context.parent, recipe) if isinstance(group, click.Group) and context.parent else None
    if command is None or command is grid:
        known = sorted(name for name in commands if name != "grid")
        raise click.UsageError(f"unknown recipe {recipe!r}; {did_you_mean(recipe, known)}.")
    names = [one.partition("=")[0].strip().removeprefix("--") for one in vary]
    if len(set(names)) < len(names):
        raise click.UsageError("--vary names an option twice; list all its values in one.")
    silent = Console(file=io.StringIO())
    runs = {}
    # Every line is parsed before the first run, so that a mistake in the last shows at once.
    for combination in itertools.product(*(_values(one) for one in vary)):
        name = ",".join(f"{option}={value}" for option, value in combination)
        given = [text for option, value in combination for text in _asked(command, option, value)]
        # A ramp is spelled with a slash, which no folder has in its name.
        folder = out / name.replace("/", "~")
        begun = resumable(folder) and "--overwrite" not in arguments
        state = ["--resume"] if begun else []
        line = [*arguments, *given, "--out", str(folder), *state]
        runs[name] = command.make_context(recipe, line, parent=context.parent, obj=silent)
    failed = []
    for name, run in runs.items():
        try:
            with run:
                history = command.invoke(run)
        except (UserError, click.ClickException) as error:
            failed.append(name)
            click.echo(
                f"{name}: failed: {error.format_message() if isinstance(error, click.ClickException) else error}"
            )
        else:
            click.echo(f"{name}: {_summary(history)}")
    if failed:
        raise click.ClickException(f"{len(failed)} of {len(runs)} runs failed: {'; '.join(failed)}.")


def _asked(command: click.Command, name: str, value: str) -> tuple[str, str]:
    """How a run is told: by an option of that name, or else as a setting."""
    is_option = any(f"--{name}" in parameter.opts for parameter in command.params)
    return (f"--{name}", value) if is_option else ("--set", f"{name}={value}")


def _values(text: str) -> list[tuple[str, str]]:
    """``NAME=A,B`` as (NAME, A), (NAME, B)."""
    name, equals, values = text.partition("=")
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not name or not equals or not found:
        raise click.UsageError(
            f"--vary {text!r} is not NAME=A,B; name an option or a setting of the recipe and its values."
        )
    return [(name.strip().removeprefix("--"), value) for value in found]


def _summary(history: list[dict[str, Any]]) -> str:
    """The best epoch of a run in one line."""
    best = max(history, key=lambda record: (record["score"] is not None, record["score"] or 0.0))
    lift = best.get("sentinel", {}).get("skill_cosine", {})
    text = f"best epoch {best['epoch']} of {len(history)}, val cosine {best['val_cosine']:.3f}"
    text += f", margin over the last frame {best['val_margin']:+.3f}"
    if lift.get("value") is not None:
        text += f", lift over persistence {lift['value']:+.3f}"
    if lift.get("low") is not None:  # from ten articles up
        text += f" [{lift['low']:+.3f}, {lift['high']:+.3f}]"
    return text
