"""P4: rollouts that must move from epoch 4, adaptively weighted terms from epoch 7 (docs/sources.md, "P4")."""

from typing import TYPE_CHECKING

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule

if TYPE_CHECKING:
    from torch import Tensor

    from lvm_gates.trainers.objective import Step

ROLLOUT = Schedule({1: 0.0, 4: 0.05, 7: 0.10})
AUXILIARY = Schedule({1: 0.0, 7: 0.002})
FUTURE = Schedule({1: 0.0, 10: 0.002})
DROP = Schedule({1: 0.0, 7: 0.05})
# The code began with its auxiliary terms an epoch before its documents (docs/sources.md, "P4").
PUBLISHED_AUXILIARY = Schedule({1: 0.0, 6: 0.002})
PUBLISHED_DROP = Schedule({1: 0.0, 6: 0.05})
HORIZON = 3
MARGIN = 0.01


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
)
def p4(given: Options) -> Recipe:
    """MSE; from epoch 4 a penalty on rollouts that stand still, from epoch 7 auxiliary terms with an adaptive weight.

    The documents roll out three steps. In the original code the later ones carried no gradient, the third compared
    with a loss value, auxiliary terms began in epoch 6, and the adaptive weight was one number for the whole batch.
    """
    from lvm_gates.trainers.augment import drop_last
    from lvm_gates.trainers.objective import Term, weighted
    from lvm_gates.trainers.terms import directional, future

    published = given["as_published"]
    weight, drop = (PUBLISHED_AUXILIARY, PUBLISHED_DROP) if published else (AUXILIARY, DROP)
    terms = [
        Term("rollout", ROLLOUT, _published_rollout if published else _rollout),
        directional(weight, MARGIN, published=published, adaptive=True),
    ]
    if not published:
        terms.append(future(FUTURE, MARGIN))
    return Recipe(
        objective=weighted(*terms),
        model=sizes(given),
        needs=Needs(frames=2) if published else Needs(ahead=2),
        augment=lambda context, epoch: drop_last(context, drop.at(epoch)),
        schedules={"rollout": ROLLOUT, "directional": weight, "drop": drop},
    )


def _rollout(step: "Step") -> "Tensor":
    import torch

    from lvm_gates.trainers.losses import mse_loss, rollout_smoothness

    predictions, context = [step.prediction], step.read
    for _ in range(HORIZON - 1):
        context = torch.cat([context[:, 1:], predictions[-1][:, None]], dim=1)
        predictions.append(step.predict(context))
    # A mean over all three steps, of which the first is compared with the target instead of a step before it.
    later = (HORIZON - 1) * rollout_smoothness(torch.stack(predictions))
    return (mse_loss(step.prediction, step.target) + later) / HORIZON


def _published_rollout(step: "Step") -> "Tensor":
    import torch

    from lvm_gates.trainers.losses import mse_loss, rollout_smoothness_published

    with torch.no_grad():
        second = step.predict(torch.cat([step.read[:, 1:], step.prediction[:, None]], dim=1))
    return mse_loss(step.prediction, step.target) / HORIZON + rollout_smoothness_published(step.prediction, second)
