"""A recipe as declared: how it is built, which settings it starts with, and its command, which reads them."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.trainers.options import asked
from lvm_gates.trainers.settings import NoSettings, Plain, changed, settings_of
from lvm_gates.trainers.settings_files import as_toml, read_settings, typed_settings
from lvm_gates.trainers.training_settings import Training

if TYPE_CHECKING:
    from lvm_gates.trainers.recipe import Recipe

Options = Mapping[str, Any]
SHARED = frozenset(one.name for one in fields(Training))


class Declared(NamedTuple):
    """A recipe by name.

    Attributes:
        name: of its subcommand.
        build: (options, its settings) -> the recipe.
        settings: options -> its settings as documented; their paths must not begin with one of `SHARED`.
        training: settings of every recipe, as documented for this one.
    """

    name: str
    build: "Callable[[Options, Any], Recipe]"
    settings: Callable[[Options], Any] = lambda _: NoSettings()
    training: Training = Training()


class Settings(NamedTuple):
    """The settings of one run: the recipe's own, and those that every recipe has."""

    own: Any
    training: Training


class RecipeCommand(click.Command):
    """A subcommand that takes ``--set``, ``--settings`` and ``--show-settings``.

    Its callback finds the `Settings` as ``settings``; a mistake in them is one in the options, found as early.

    Args:
        declared: the recipe.
    """

    def __init__(self, *args: Any, declared: Declared, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.declared = declared

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        rest = super().parse_args(ctx, args)
        given = ctx.params
        file, texts, show = given.pop("settings_file"), given.pop("changes"), given.pop("show_settings")
        try:
            with ctx.scope(cleanup=False):
                in_file = {} if file is None else read_settings(file)
                found = resolved(self.declared, given, in_file, typed_settings(texts))
        except UserError as error:
            raise click.UsageError(str(error), ctx) from error
        if show:
            click.echo(as_toml(*found))
            ctx.exit()
        given["settings"] = found
        return rest


def resolved(declared: Declared, given: Options, in_file: Mapping[str, Plain], typed: Mapping[str, Plain]) -> Settings:
    """The settings of a run: as documented, then as in the file, then as typed.

    Raises:
        UserError: an unknown setting, a value that it cannot have, or one that an option of its own gives as well.
    """
    found = Settings(declared.settings(given), declared.training)
    known = {one.path: one for tree in found for one in settings_of(tree)}
    for source, changes in (("--settings", in_file), ("--set", typed)):
        for path in changes:
            if path not in known:
                raise UserError(f"{source} {path}: {declared.name} has no such setting; {did_you_mean(path, known)}.")
            short = known[path].option
            if short is not None and asked(short):
                flag = f"--{short.replace('_', '-')}"
                raise UserError(f"{source} {path}: is what {flag} gives; leave one of them out.")
        shared = {path: value for path, value in changes.items() if path.partition(".")[0] in SHARED}
        own = {path: value for path, value in changes.items() if path not in shared}
        found = Settings(changed(found.own, own, source), changed(found.training, shared, source))
    return found


def over(settings: Settings, epochs: int) -> Settings:
    """The same, a cosine without a length of its own taking ``epochs``: a resumed run must know when it ends."""
    rate = settings.training.rate
    if rate.schedule != "cosine" or rate.epochs is not None:
        return settings
    return settings._replace(training=replace(settings.training, rate=replace(rate, epochs=epochs)))
