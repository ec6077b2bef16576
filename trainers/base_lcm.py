"""Base-LCM of Large Concept Models (arXiv 2412.08821, section 2.3.1): regression of every next concept, normalised.

The architecture is `models.base_lcm`; docs/designs.md has what it reaches here.
"""

from functools import cache
from typing import TYPE_CHECKING

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import open_training_corpus
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.training_settings import Average, Optimizer, Rate, Training

if TYPE_CHECKING:
    import numpy as np
    import torch
    from jaxtyping import Float
    from torch import Tensor

    from lvm_gates.harness.corpus.corpus import Corpus
    from lvm_gates.harness.corpus.windows import Windows
    from lvm_gates.models.base_lcm import BaseLCM
    from lvm_gates.trainers.objective import Loss, Objective, Step

# Of an interquartile range, the standard deviation of a Gaussian that has it (arXiv 2307.05445).
GAUSSIAN_SHARE = 0.7413
_SCALED_BY = 20_000
_SEED = 0


@recipe_command(
    "base-lcm",
    epochs=5,
    batch_size=256,
    lr=1e-3,
    training=Training(Optimizer(weight_decay=0.1), Rate("cosine", warmup=0.1), Average(0.99)),
)
def base_lcm(given: Options) -> Recipe:
    """Base-LCM of Large Concept Models: robustly normalised frames, MSE at every slot.

    Median and spread of each coordinate are those of the training articles, and the error is counted in units of the
    spread, as in the authors' code.
    """
    import torch

    median, spread = robust_scale(open_training_corpus(given["corpus"]))

    def prepare(network: "BaseLCM", _: "Windows") -> None:
        network.median.copy_(torch.from_numpy(median))
        network.spread.copy_(torch.from_numpy(spread))

    return Recipe(objective=objective(spread), model_type="base-lcm", model=sizes(given), prepare=prepare)


def robust_scale(corpus: "Corpus") -> "tuple[Float[np.ndarray, ' dim'], Float[np.ndarray, ' dim']]":
    """Median of each coordinate and .7413 of its interquartile range, of at most 20,000 training chunks.

    A coordinate that does not vary keeps its unit.
    """
    import numpy as np

    from lvm_gates.harness.base.seeding import sampling_rng

    rows = corpus.rows_of(corpus.articles("TRAIN"))
    if len(rows) > _SCALED_BY:
        rows = np.sort(sampling_rng(_SEED).choice(rows, size=_SCALED_BY, replace=False))
    low, median, high = np.quantile(corpus.vectors(rows), [0.25, 0.5, 0.75], axis=0)
    spread = GAUSSIAN_SHARE * (high - low)
    return median.astype(np.float32), np.where(spread > 0, spread, 1.0).astype(np.float32)


def objective(spread: "Float[np.ndarray, ' dim']") -> "Objective":
    """Mean squared error over slots and coordinates, in units of the spread."""
    import torch

    from lvm_gates.trainers.objective import Loss

    @cache
    def unit_of(device: "torch.device") -> "Tensor":
        return torch.from_numpy(spread).to(device)

    def loss(step: "Step") -> "Loss":
        # The last slot comes first, and predicts the target; the slot before it the last frame.
        wanted = torch.cat([step.target[:, None], step.context[:, 1:].flip(1)], dim=1)
        squared = ((step.answers - wanted) / unit_of(wanted.device)).square()
        return Loss(squared.mean(), {"last_slot": squared[:, 0].mean()})

    return loss
