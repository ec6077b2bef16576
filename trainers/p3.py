"""P3: P1 with small auxiliary terms from epoch 6 (docs/sources.md, "P3")."""

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule

AUXILIARY = Schedule({1: 0.0, 6: 0.002})
DROP = Schedule({1: 0.0, 6: 0.05})
DIRECTIONAL_MARGIN = 0.01
FUTURE_MARGIN = 0.008


@recipe_command(
    "p3",
    epochs=20,
    batch_size=64,
    options=[as_published("the previous chunk is the second-to-last frame, the future margin is missing")],
)
def p3(given: Options) -> Recipe:
    """MSE; from epoch 6 directional and future margins, the last frame dropped at random.

    The future margin had no body in the original code.
    """
    from lvm_gates.trainers.augment import drop_last
    from lvm_gates.trainers.objective import weighted
    from lvm_gates.trainers.terms import directional, future

    published = given["as_published"]
    terms = [directional(AUXILIARY, DIRECTIONAL_MARGIN, published=published)]
    if not published:
        terms.append(future(AUXILIARY, FUTURE_MARGIN))
    return Recipe(
        objective=weighted(*terms),
        model=sizes(given),
        needs=Needs(frames=2) if published else Needs(ahead=2),
        augment=lambda context, epoch: drop_last(context, DROP.at(epoch)),
        schedules={"auxiliary": AUXILIARY, "drop": DROP},
    )
