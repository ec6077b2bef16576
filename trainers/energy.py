"""A sampler trained by the energy score, as in Continuous Autoregressive Language Models (arXiv 2510.27688).

The architecture is `models.energy`; what is gated is the mean of its samples. docs/designs.md has what it reaches here.
The other head that such models have, diffusion, is left out: it needs a schedule and tens of passes a prediction, and
its mean is again the mean of the text that may follow.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.recipe import Recipe
from lvm_gates.trainers.settings import setting
from lvm_gates.trainers.training_settings import Average, Optimizer, Rate, Training

if TYPE_CHECKING:
    from lvm_gates.trainers.objective import Loss, Objective, Step


@dataclass(frozen=True)
class Score:
    """The energy score."""

    beta: float = setting(1.0, "exponent of the distance", low=1e-3, high=1.999)


@dataclass(frozen=True)
class Energy:
    """The defaults are those of docs/designs.md."""

    score: Score = Score()


@recipe_command(
    "energy",
    epochs=5,
    batch_size=256,
    lr=1e-3,
    options=[
        click.option("--blocks", type=click.IntRange(min=1), default=2, show_default=True, help="Of the head."),
        click.option(
            "--samples", type=click.IntRange(min=2), default=8, show_default=True, help="Drawn for each context."
        ),
        click.option(
            "--draws",
            type=click.IntRange(min=1),
            default=64,
            show_default=True,
            help="Fixed noise vectors whose samples' mean is the prediction.",
        ),
    ],
    settings=Energy(),
    training=Training(Optimizer(weight_decay=0.1), Rate("cosine", warmup=0.1), Average(0.99)),
)
def energy(given: Options, own: Energy) -> Recipe:
    """Samples from noise, trained by the energy score; their mean is gated.

    Cosine and margin of an epoch's line are those of one sample in training, and of the mean in validation.
    """
    return Recipe(
        objective=objective(own),
        model_type="energy",
        model={**sizes(given), "blocks": given["blocks"], "samples": given["samples"], "draws": given["draws"]},
    )


def objective(own: Energy) -> "Objective":
    """The energy score of all samples."""
    from lvm_gates.trainers.losses import cosine_each, energy_score
    from lvm_gates.trainers.objective import Loss

    def loss(step: "Step") -> "Loss":
        total = energy_score(step.answers, step.target, own.score.beta)
        # How alike two samples are: at 1 the head has stopped listening to its noise.
        alike = cosine_each(step.answers[:, 0], step.answers[:, 1]).mean().detach()
        return Loss(total, {"score": total, "sample_cosine": alike})

    return loss
