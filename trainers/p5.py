"""P5: a curriculum in three stages and a position channel (docs/sources.md, "P5")."""

from dataclasses import dataclass

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.curriculum import Stages, curriculum_options, select_windows
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.recipe_settings import Adaptive, Hinge, Position
from lvm_gates.trainers.schedule import Schedule


@dataclass(frozen=True)
class P5:
    """Documented values."""

    directional: Hinge = Hinge(Schedule({1: 0.0, 11: 0.002}), 0.01)
    adaptive: Adaptive = Adaptive()
    position: Position = Position()
    stages: Stages = Stages()


@recipe_command(
    "p5",
    epochs=20,
    batch_size=32,
    options=[
        *curriculum_options("as-run"),
        as_published("stage C's auxiliary term is over the second-to-last frame and weighs the whole batch alike"),
    ],
    settings=P5(),
)
def p5(given: Options, own: P5) -> Recipe:
    """MSE on the top 30 % of the windows (epochs 1-4), 70 % (5-10), all (11-20); an auxiliary term in the last stage.

    As it was run, the score put the windows first whose target resembles the last frame least, and only stage A ran:
    ask for that with --epochs 4. The plan's score is --score plan.
    """
    from lvm_gates.trainers.objective import weighted
    from lvm_gates.trainers.terms import directional

    published = given["as_published"]
    return Recipe(
        objective=weighted(directional(own.directional, published=published, adaptive=own.adaptive)),
        model=sizes(given),
        position_scale=own.position.scale,
        select_windows=select_windows(given["score"], given["stages"], own.stages),
        schedules={"directional": own.directional.weight},
    )
