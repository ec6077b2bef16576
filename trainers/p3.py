"""P3: P1 with small auxiliary terms from epoch 6 (docs/sources.md, "P3")."""

from dataclasses import dataclass, replace

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.recipe_settings import OFF, Drop, Hinge
from lvm_gates.trainers.schedule import Schedule

AUXILIARY = Schedule({1: 0.0, 6: 0.002})


@dataclass(frozen=True)
class P3:
    """Documented values."""

    directional: Hinge = Hinge(AUXILIARY, 0.01)
    future: Hinge = Hinge(AUXILIARY, 0.008)
    drop: Drop = Drop(Schedule({1: 0.0, 6: 0.05}))


def documented(given: Options) -> P3:
    """Values; the future margin had no body in the original code."""
    own = P3()
    return replace(own, future=replace(own.future, weight=OFF)) if given["as_published"] else own


@recipe_command(
    "p3",
    epochs=20,
    batch_size=64,
    options=[as_published("the previous chunk is the second-to-last frame, the future margin is missing")],
    settings=documented,
)
def p3(given: Options, own: P3) -> Recipe:
    """MSE; from epoch 6 directional and future margins, the last frame dropped at random.

    The future margin had no body in the original code.
    """
    from lvm_gates.trainers.augment import dropping
    from lvm_gates.trainers.objective import weighted
    from lvm_gates.trainers.terms import directional, future

    published = given["as_published"]
    return Recipe(
        objective=weighted(directional(own.directional, published=published), future(own.future)),
        model=sizes(given),
        needs=Needs(frames=2 if published else 1, ahead=2 if own.future.weight.ever else 0),
        augment=dropping(own.drop),
        schedules={"auxiliary": own.directional.weight, "drop": own.drop.probability},
    )
