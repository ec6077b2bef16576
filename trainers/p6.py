"""P6: the chunk after the next one as the target, so that copying the last frame pays less (docs/sources.md, "P6")."""

from dataclasses import dataclass

import click

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.recipe_settings import Corruption, as_run_by_default

# Offset of the target from the last context frame: the chunk in between is never shown.
SKIP = 2


@dataclass(frozen=True)
class P6:
    """Documented values."""

    corruption: Corruption = Corruption()


@recipe_command(
    "p6",
    epochs=10,
    batch_size=32,
    options=[
        click.option(
            "--network",
            type=click.Choice(["transformer", "next-token"]),
            default="transformer",
            show_default=True,
            help="next-token is the plan: a query that cannot see itself, biased against the last slot.",
        ),
        click.option(
            "--target",
            type=click.Choice(["skip", "next"]),
            default="skip",
            show_default=True,
            help="skip: the chunk after the next one, as run.",
        ),
        as_published("the last frame is corrupted by default"),
    ],
    settings=lambda given: P6(as_run_by_default(given["as_published"])),
)
def p6(given: Options, own: P6) -> Recipe:
    """MSE to the chunk after the next one.

    The gates judge it as what it is used for, a predictor of the next chunk. The plan was another network
    (--network next-token --target next).
    """
    from lvm_gates.trainers.augment import corrupting
    from lvm_gates.trainers.objective import weighted

    return Recipe(
        objective=weighted(),
        model_type=given["network"],
        model=sizes(given),
        needs=Needs(target=SKIP if given["target"] == "skip" else 1),
        augment=corrupting(own.corruption),
    )
