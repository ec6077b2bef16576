"""P5: a curriculum in three stages and a position channel (docs/sources.md, "P5")."""

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.curriculum import curriculum_options, select_windows
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.schedule import Schedule, constant

AUXILIARY = Schedule({1: 0.0, 11: 0.002})
MARGIN = 0.01
POSITION_SCALE = 0.03


@recipe_command(
    "p5",
    epochs=20,
    batch_size=32,
    options=[
        *curriculum_options("as-run"),
        as_published("stage C's auxiliary term is over the second-to-last frame and weighs the whole batch alike"),
    ],
)
def p5(given: Options) -> Recipe:
    """MSE on the top 30 % of the windows (epochs 1-4), 70 % (5-10), all (11-20); an auxiliary term in the last stage.

    As it was run, the score put the windows first whose target resembles the last frame least, and only stage A ran:
    ask for that with --epochs 4. The plan's score is --score plan.
    """
    from lvm_gates.trainers.objective import weighted
    from lvm_gates.trainers.terms import directional

    return Recipe(
        objective=weighted(directional(AUXILIARY, MARGIN, published=given["as_published"], adaptive=True)),
        model=sizes(given),
        position_scale=constant(POSITION_SCALE),
        select_windows=select_windows(given["score"], given["stages"]),
        schedules={"directional": AUXILIARY},
    )
