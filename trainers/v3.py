"""V3: terms against the previous chunk and against copying, from epoch 4.

Source: docs/sources.md, "V3" (known from documents only).
"""

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule, constant

AUXILIARY = Schedule({1: 0.0, 4: (0.005, 0.01), 11: 0.01})
DROP = Schedule({1: 0.0, 4: (0.05, 0.10), 11: 0.10})
DIRECTIONAL_MARGIN = 0.03
ANTI_COPY_MARGIN = 0.01
POSITION_SCALE = 0.03


@recipe_command(
    "v3",
    epochs=20,
    batch_size=64,
    options=[as_published("the previous chunk is the second-to-last frame, the losses see the frames as corrupted")],
)
def v3(given: Options) -> Recipe:
    """MSE; from epoch 4 directional margin and anti-copy hinge, the last frame dropped at random.

    The documents compare with "the previous chunk", which is the last frame; the original code took the frame before
    that, and the corrupted frames where it said the original ones.
    """
    from lvm_gates.trainers.augment import drop_last
    from lvm_gates.trainers.losses import anti_copy
    from lvm_gates.trainers.objective import Term, weighted
    from lvm_gates.trainers.terms import directional

    published = given["as_published"]
    return Recipe(
        objective=weighted(
            directional(AUXILIARY, DIRECTIONAL_MARGIN, published=published),
            Term(
                "anti_copy",
                AUXILIARY,
                lambda s: anti_copy(s.prediction, s.target, s.read if published else s.context, ANTI_COPY_MARGIN),
            ),
        ),
        model=sizes(given),
        needs=Needs(frames=2 if published else 1),
        position_scale=constant(POSITION_SCALE),
        augment=lambda context, epoch: drop_last(context, DROP.at(epoch)),
        schedules={"directional": AUXILIARY, "anti_copy": AUXILIARY, "drop": DROP},
    )
