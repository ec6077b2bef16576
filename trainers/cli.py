"""``lvm-train``: one subcommand a recipe."""

import click

from lvm_gates.harness.cli.group import SentenceGroup
from lvm_gates.trainers.grid import grid
from lvm_gates.trainers.p1 import p1
from lvm_gates.trainers.p2 import p2
from lvm_gates.trainers.p3 import p3
from lvm_gates.trainers.p4 import p4
from lvm_gates.trainers.p5 import p5
from lvm_gates.trainers.p6 import p6
from lvm_gates.trainers.p6b import p6b
from lvm_gates.trainers.p7 import p7
from lvm_gates.trainers.p51 import p51
from lvm_gates.trainers.v3 import v3


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train a next-embedding predictor by one of the documented recipes.

    Each leaves best_model.pt (chosen by --select), final_model.pt, training_history.json and a checkpoint an epoch in
    --out.
    """


for recipe in (v3, p1, p2, p3, p4, p5, p51, p6, p6b, p7):
    main.add_command(recipe)
main.add_command(grid)

if __name__ == "__main__":
    main(prog_name="lvm-train")
