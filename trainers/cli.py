"""``lvm-train``: one subcommand a recipe.

A recipe from outside is one, too: ``lvm-train python:package.module:name``, or by its own name where an installed
package offers it by an entry point in the group `RECIPES`.
"""

from pathlib import Path

import click

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.imported import PYTHON, import_named, load_offered, offered
from lvm_gates.harness.cli.together import SharedGroup
from lvm_gates.trainers.base_lcm import base_lcm
from lvm_gates.trainers.champion import champion
from lvm_gates.trainers.cpc import cpc
from lvm_gates.trainers.energy import energy
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
from lvm_gates.trainers.sentence_lm import sentence_lm
from lvm_gates.trainers.v3 import v3

RECIPES = "lvm_gates.recipes"


class RecipeGroup(SharedGroup):
    """Its own recipes, those of installed packages, and those that are named by module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of everything that can be trained without naming a module."""
        return sorted({*super().list_commands(ctx), *(point.name for point in offered(RECIPES))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The recipe of that name; nobody else's code is imported before it is asked for."""
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        if cmd_name.startswith(PYTHON):
            return _recipe(import_named(cmd_name, Path.cwd()), cmd_name)
        for point in offered(RECIPES):
            if point.name == cmd_name:
                return _recipe(load_offered(point), cmd_name)
        return None


def _recipe(found: object, name: str) -> click.Command:
    if not isinstance(found, click.Command):
        raise UserError(f"{name}: is {type(found).__name__}, not a recipe; decorate it with @recipe_command.")
    return found


@click.group(cls=RecipeGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train a next-embedding predictor by one of the documented recipes.

    Each leaves best_model.pt (chosen by --select), final_model.pt, training_history.json and a checkpoint an epoch in
    --out.
    """


for recipe in (v3, p1, p2, p3, p4, p5, p51, p6, p6b, p7, champion, base_lcm, sentence_lm, cpc, energy):
    main.add_command(recipe)
main.add_command(grid)

if __name__ == "__main__":
    main(prog_name="lvm-train")
