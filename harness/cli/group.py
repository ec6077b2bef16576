"""A Click group that shows a user's mistake as one sentence and exits 1, never as a traceback.

Its help says of every command all of its first sentence, and it knows the version of the package.
"""

import sys
from io import TextIOWrapper
from typing import Any

import click

from lvm_gates.harness.base.errors import UserError

_WHOLE = 10_000  # letters


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
        """Run a subcommand; `UserError` and what the system refuses become Click's own error message.

        A path may be no UTF-8, and a terminal no Unicode: what cannot be written is escaped.
        """
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
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
