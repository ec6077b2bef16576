"""V3: terms against the previous chunk and against copying, from epoch 4.

Source: docs/sources.md, "V3" (known from documents only).
"""

from dataclasses import dataclass

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.recipe_settings import Drop, Hinge, Position
from lvm_gates.trainers.schedule import Schedule, constant

AUXILIARY = Schedule({1: 0.0, 4: (0.005, 0.01), 11: 0.01})


@dataclass(frozen=True)
class V3:
    """Documented values."""

    directional: Hinge = Hinge(AUXILIARY, 0.03)
    anti_copy: Hinge = Hinge(AUXILIARY, 0.01)
    drop: Drop = Drop(Schedule({1: 0.0, 4: (0.05, 0.10), 11: 0.10}))
    position: Position = Position(constant(0.03))


@recipe_command(
    "v3",
    epochs=20,
    batch_size=64,
    options=[as_published("the previous chunk is the second-to-last frame, the losses see the frames as corrupted")],
    settings=V3(),
)
def v3(given: Options, own: V3) -> Recipe:
    """MSE; from epoch 4 directional margin and anti-copy hinge, the last frame dropped at random.

    The documents compare with "the previous chunk", which is the last frame; the original code took the frame before
    that, and the corrupted frames where it said the original ones.
    """
    from lvm_gates.trainers.augment import dropping
    from lvm_gates.trainers.objective import weighted
    from lvm_gates.trainers.terms import anti_copy, directional

    published = given["as_published"]
    return Recipe(
        objective=weighted(
            directional(own.directional, published=published), anti_copy(own.anti_copy, published=published)
        ),
        model=sizes(given),
        needs=Needs(frames=2 if published else 1),
        position_scale=own.position.scale,
        augment=dropping(own.drop),
        schedules={
            "directional": own.directional.weight,
            "anti_copy": own.anti_copy.weight,
            "drop": own.drop.probability,
        },
    )
