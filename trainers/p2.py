"""P2: predicts the change from the last frame; small auxiliary terms from epoch 6 (docs/sources.md, "P2")."""

from typing import TYPE_CHECKING

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule, constant

if TYPE_CHECKING:
    from torch import Tensor

    from lvm_gates.trainers.objective import Step

DIRECTIONAL = Schedule({1: 0.0, 6: 0.002})
FUTURE = Schedule({1: 0.0, 6: 0.002, 11: 0.003})
RESIDUAL = constant(1e-4)
MARGIN = 0.01


@recipe_command(
    "p2",
    epochs=20,
    batch_size=64,
    options=[
        as_published(
            "the change has unit length, the previous chunk is the second-to-last frame, the penalty and the future "
            "margin are missing"
        )
    ],
)
def p2(given: Options) -> Recipe:
    """Residual network, MSE; from epoch 6 directional and future margins.

    The documents add a free change to the last frame and penalise its size. The original code normalised the change,
    so that it could not vanish, had no penalty, and a future margin without a body.
    """
    from lvm_gates.trainers.objective import Term, weighted
    from lvm_gates.trainers.terms import directional, future

    published = given["as_published"]
    terms = [directional(DIRECTIONAL, MARGIN, published=published)]
    if not published:
        # "Always on" in the plan, while the auxiliary terms can be dropped.
        terms += [future(FUTURE, MARGIN), Term("residual", RESIDUAL, _size_of_change, auxiliary=False)]
    return Recipe(
        objective=weighted(*terms),
        model_type="residual",
        model={"base": "transformer", "normalise_delta": published, **sizes(given)},
        needs=Needs(frames=2) if published else Needs(ahead=2),
        schedules={"directional": DIRECTIONAL} if published else {"directional": DIRECTIONAL, "future": FUTURE},
    )


def _size_of_change(step: "Step") -> "Tensor":
    from lvm_gates.trainers.losses import residual_regulariser

    # As it enters the sum. The documents penalise it bare, before alpha, which a step does not see; dividing by alpha
    # would have no gradient where alpha reaches 0.
    return residual_regulariser(step.raw - step.read[:, -1])
