"""``lvm-train``: one subcommand a recipe."""

from typing import Any

import click

from harness.errors import UserError
from trainers.p1 import p1


class RecipeGroup(click.Group):
    """Shows a user's mistake as one sentence and exits 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Group.invoke`."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=RecipeGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train a next-embedding predictor by one of the documented recipes.

    Each leaves best_model.pt (lowest validation loss), final_model.pt and training_history.json in --out.
    """


main.add_command(p1)
