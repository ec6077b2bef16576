"""P4: rollouts that must move from epoch 4, adaptively weighted terms from epoch 7 (docs/sources.md, "P4")."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.recipe_settings import OFF, Adaptive, Drop, Hinge
from lvm_gates.trainers.schedule import Schedule
from lvm_gates.trainers.settings import setting

if TYPE_CHECKING:
    from torch import Tensor

    from lvm_gates.trainers.objective import Step


@dataclass(frozen=True)
class Rollout:
    """The penalty on rollouts that stand still."""

    weight: Schedule = setting(Schedule({1: 0.0, 4: 0.05, 7: 0.10}), "of the term, by epoch")
    steps: int = setting(3, "of a rollout; as published two are asked whatever it says", low=2)
    ceiling: float = setting(0.95, "mean cosine of two steps that costs nothing", high=1)
    scale: float = setting(10.0, "cost of each unit of cosine above it", low=0)


@dataclass(frozen=True)
class P4:
    """Documented values."""

    rollout: Rollout = Rollout()
    directional: Hinge = Hinge(Schedule({1: 0.0, 7: 0.002}), 0.01)
    adaptive: Adaptive = Adaptive()
    future: Hinge = Hinge(Schedule({1: 0.0, 10: 0.002}), 0.008)
    drop: Drop = Drop(Schedule({1: 0.0, 7: 0.05}))


def documented(given: Options) -> P4:
    """Values; the code began with its auxiliary terms an epoch earlier, and had no future margin."""
    own = P4()
    if not given["as_published"]:
        return own
    return replace(
        own,
        directional=replace(own.directional, weight=Schedule({1: 0.0, 6: 0.002})),
        future=replace(own.future, weight=OFF),
        drop=Drop(Schedule({1: 0.0, 6: 0.05})),
    )


@recipe_command(
    "p4",
    epochs=20,
    batch_size=64,
    options=[
        as_published(
            "only the first step of a rollout has a gradient; auxiliary terms from epoch 6, one weight a batch, over "
            "the second-to-last frame; no future margin"
        )
    ],
    settings=documented,
)
def p4(given: Options, own: P4) -> Recipe:
    """MSE; from epoch 4 a penalty on rollouts that stand still, from epoch 7 auxiliary terms with an adaptive weight.

    The documents roll out three steps. In the original code the later ones carried no gradient, the third compared
    with a loss value, auxiliary terms began in epoch 6, and the adaptive weight was one number for the whole batch.
    """
    from lvm_gates.trainers.augment import dropping
    from lvm_gates.trainers.objective import Term, weighted
    from lvm_gates.trainers.terms import directional, future

    published = given["as_published"]
    penalty = _published_rollout if published else _rollout
    return Recipe(
        objective=weighted(
            Term("rollout", own.rollout.weight, lambda step: penalty(step, own.rollout)),
            directional(own.directional, published=published, adaptive=own.adaptive),
            future(own.future),
        ),
        model=sizes(given),
        needs=Needs(frames=2 if published else 1, ahead=2 if own.future.weight.ever else 0),
        augment=dropping(own.drop),
        schedules={
            "rollout": own.rollout.weight,
            "directional": own.directional.weight,
            "drop": own.drop.probability,
        },
    )


def _rollout(step: "Step", asked: Rollout) -> "Tensor":
    import torch

    from lvm_gates.trainers.losses import mse_loss, rollout_smoothness

    predictions, context = [step.prediction], step.read
    for _ in range(asked.steps - 1):
        context = torch.cat([context[:, 1:], predictions[-1][:, None]], dim=1)
        predictions.append(step.predict(context))
    # A mean over all steps, of which the first is compared with the target instead of a step before it.
    later = (asked.steps - 1) * rollout_smoothness(torch.stack(predictions), asked.ceiling, asked.scale)
    return (mse_loss(step.prediction, step.target) + later) / asked.steps


def _published_rollout(step: "Step", asked: Rollout) -> "Tensor":
    import torch

    from lvm_gates.trainers.losses import mse_loss, rollout_smoothness_published
    from lvm_gates.trainers.losses.rollout import PUBLISHED_STEPS

    # Not the regression loss's prediction: the network was asked a second time, so with another dropout mask.
    first = step.predict(step.read)
    with torch.no_grad():
        second = step.predict(torch.cat([step.read[:, 1:], first[:, None]], dim=1))
    smooth = rollout_smoothness_published(first, second, asked.ceiling, asked.scale)
    return mse_loss(first, step.target) / PUBLISHED_STEPS + smooth
