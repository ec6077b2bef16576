"""Click commands that show a user's mistake as one sentence and exit 1, never as a traceback.

The help of a group says of every command all of its first sentence, and both know the version of the package.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

import click

from lvm_gates.harness.base.errors import UserError

_WHOLE = 10_000  # letters


@contextmanager
def in_sentences() -> Iterator[None]:
    """`UserError` and what the system refuses become Click's own error message.

    A path may be no UTF-8, and a terminal no Unicode: what cannot be written is escaped.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except UserError as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:
        raise  # `| head` has had enough; Click ends quietly
    except OSError as error:
        # What is read is checked where it is read; what is left is a place that cannot be written.
        where = f"{error.filename}: " if error.filename else ""
        raise click.ClickException(
            f"{where}cannot be written or read ({error.strerror or error}); name another place, or free space."
        ) from error


class SentenceGroup(click.Group):
    """See `click.Group`."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        click.version_option(package_name="lvm-gates")(self)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with their first sentences, none of them cut short as Click would."""
        known = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, one.get_short_help_str(_WHOLE)) for name, one in known if one is not None and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; see `in_sentences`."""
        with in_sentences():
            return super().invoke(ctx)


class SentenceCommand(click.Command):
    """See `click.Command`; for a program that has no subcommands."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        click.version_option(package_name="lvm-gates")(self)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `in_sentences`."""
        with in_sentences():
            return super().invoke(ctx)
