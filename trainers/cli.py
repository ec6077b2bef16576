"""``lvm-train``: one subcommand a recipe."""

import click

from commands.group import SentenceGroup
from trainers.grid import grid
from trainers.p1 import p1
from trainers.p2 import p2
from trainers.p3 import p3
from trainers.p4 import p4
from trainers.p5 import p5
from trainers.p6 import p6
from trainers.p6b import p6b
from trainers.p7 import p7
from trainers.p51 import p51
from trainers.v3 import v3


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train a next-embedding predictor by one of the documented recipes.

    Each leaves best_model.pt (chosen by --select), final_model.pt, training_history.json and a checkpoint an epoch in
    --out.
    """


for recipe in (v3, p1, p2, p3, p4, p5, p51, p6, p6b, p7):
    main.add_command(recipe)
main.add_command(grid)
