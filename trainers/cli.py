"""``lvm-train``: one subcommand a recipe."""

import click

from commands.group import SentenceGroup
from trainers.p1 import p1


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train a next-embedding predictor by one of the documented recipes.

    Each leaves best_model.pt (lowest validation loss), final_model.pt and training_history.json in --out.
    """


main.add_command(p1)
