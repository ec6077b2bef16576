"""A Click group that shows a user's mistake as one sentence and exits 1, never as a traceback."""

from typing import Any

import click

from harness.errors import UserError


class SentenceGroup(click.Group):
    """See `click.Group`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; `UserError` becomes Click's own error message."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(str(error)) from error
