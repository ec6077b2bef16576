"""P2: predicts the change from the last frame; small auxiliary terms from epoch 6 (docs/sources.md, "P2")."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.recipe_settings import OFF, Hinge
from lvm_gates.trainers.schedule import Schedule, constant
from lvm_gates.trainers.settings import setting

if TYPE_CHECKING:
    from torch import Tensor

    from lvm_gates.trainers.objective import Step


@dataclass(frozen=True)
class Residual:
    """The penalty on the change."""

    weight: Schedule = setting(constant(1e-4), "of the squared change, by epoch")


@dataclass(frozen=True)
class P2:
    """Documented values; anti-copy is the plan's option for after epoch 10, off until somebody turns it on."""

    directional: Hinge = Hinge(Schedule({1: 0.0, 6: 0.002}), 0.01)
    future: Hinge = Hinge(Schedule({1: 0.0, 6: 0.002, 11: 0.003}), 0.01)
    anti_copy: Hinge = Hinge(OFF, 0.01)
    residual: Residual = Residual()


def documented(given: Options) -> P2:
    """Values; the original code had neither future margin nor penalty."""
    own = P2()
    if not given["as_published"]:
        return own
    return replace(own, future=replace(own.future, weight=OFF), residual=Residual(OFF))


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
    settings=documented,
)
def p2(given: Options, own: P2) -> Recipe:
    """Residual network, MSE; from epoch 6 directional and future margins.

    The documents add a free change to the last frame and penalise its size. The original code normalised the change,
    so that it could not vanish, had no penalty, and a future margin without a body.
    """
    from lvm_gates.trainers.objective import Term, weighted
    from lvm_gates.trainers.terms import anti_copy, directional, future

    published = given["as_published"]
    return Recipe(
        objective=weighted(
            directional(own.directional, published=published),
            future(own.future),
            anti_copy(own.anti_copy, published=published),
            # "Always on" in the plan, while the auxiliary terms can be dropped.
            Term("residual", own.residual.weight, _size_of_change, auxiliary=False),
        ),
        model_type="residual",
        model={"base": "transformer", "normalise_delta": published, **sizes(given)},
        needs=Needs(frames=2 if published else 1, ahead=2 if own.future.weight.ever else 0),
        schedules={"directional": own.directional.weight, "future": own.future.weight},
    )


def _size_of_change(step: "Step") -> "Tensor":
    from lvm_gates.trainers.losses import residual_regulariser

    # As it enters the sum. The documents penalise it bare, before alpha, which a step does not see; dividing by alpha
    # would have no gradient where alpha reaches 0.
    return residual_regulariser(step.raw - step.read[:, -1])
