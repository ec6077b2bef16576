"""Contrastive predictive coding (van den Oord et al. 2018, arXiv 1807.03748) over chunks that come embedded.

A GRU and one linear head a step (`models.cpc`) under InfoNCE. docs/designs.md has what it reaches here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from lvm_gates.trainers.command import Options, recipe_command
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.settings import setting
from lvm_gates.trainers.training_settings import Average, Optimizer, Rate, Training

if TYPE_CHECKING:
    from torch import Tensor

    from lvm_gates.trainers.objective import Loss, Objective, Step


@dataclass(frozen=True)
class Contrast:
    """Softmax over the targets of the batch, for each step its own."""

    sharpness: float = setting(10.0, "factor of every score; 1 in the paper, whose vectors have any length", low=1e-3)


@dataclass(frozen=True)
class CPC:
    """The defaults are those of docs/designs.md."""

    contrast: Contrast = Contrast()


@recipe_command(
    "cpc",
    epochs=5,
    batch_size=256,
    lr=1e-3,
    sized=False,
    options=[
        click.option("--width", type=click.IntRange(min=1), default=512, show_default=True, help="Of the GRU."),
        click.option("--layers", type=click.IntRange(min=1), default=1, show_default=True, help="Of the GRU."),
        click.option("--steps", type=click.IntRange(min=1), default=3, show_default=True, help="Chunks predicted."),
    ],
    settings=CPC(),
    training=Training(Optimizer(weight_decay=0.1), Rate("cosine", warmup=0.1), Average(0.99)),
)
def cpc(given: Options, own: CPC) -> Recipe:
    """Contrastive predictive coding: a GRU, InfoNCE for each of the next chunks.

    The head of the first step is what is validated, gated and rolled out. In the paper's experiment on text the steps
    are three, too.
    """
    steps = given["steps"]
    return Recipe(
        objective=objective(own),
        model_type="cpc",
        model={"width": given["width"], "depth": given["layers"], "steps": steps},
        needs=Needs(ahead=steps - 1),
    )


def objective(own: CPC) -> "Objective":
    """The mean of InfoNCE over the steps; windows whose article ends before one are not in its batch."""
    import torch

    from lvm_gates.trainers.losses import bilinear_nce
    from lvm_gates.trainers.objective import Loss

    def loss(step: "Step") -> "Loss":
        parts: dict[str, Tensor | float] = {
            "step_1": bilinear_nce(step.raw, step.target, sharpness=own.contrast.sharpness)
        }
        for k in range(1, step.answers.shape[1]):
            parts[f"step_{k + 1}"] = bilinear_nce(
                step.answers[:, k],
                step.future[:, k - 1],
                sharpness=own.contrast.sharpness,
                present=step.future_exists[:, k - 1],
            )
        return Loss(torch.stack([torch.as_tensor(part) for part in parts.values()]).mean(), parts)

    return loss
