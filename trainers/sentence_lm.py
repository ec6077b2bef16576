"""The sentence-level language model of Ippolito et al. (ACL 2020, arXiv 2005.05255).

A residual MLP (`models.sentence_lm`) answers with an embedding, against which the true next sentence must score higher
than many others. docs/designs.md has what it reaches here.
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

# Two vectors nearer than that are one chunk twice (docs/specification.md, "Candidate sets and ranks").
_SAME = 1 - 1e-5


@dataclass(frozen=True)
class Contrast:
    """Softmax over the target, the targets of the batch and sentences of its own article.

    The paper's embeddings are means of BERT's layers, whose scalar products are far above 1; those of unit vectors need
    a factor.
    """

    sharpness: float = setting(10.0, "factor of every score", low=1e-3)
    negatives: int = setting(16, "drawn from the article of the target", low=1)


@dataclass(frozen=True)
class ContextContrast:
    """After the paper's CSLoss: sentences of the context must score lower than the next one. The weight is ours.

    With weight 1 the prediction turns away from its context altogether: a cosine of .11 to the target after one epoch
    on text, where the weighted mean of the context has .5.
    """

    weight: float = setting(0.1, "of the softmax over target and context alone", low=0)


@dataclass(frozen=True)
class SentenceLM:
    """The defaults are those of docs/designs.md."""

    contrast: Contrast = Contrast()
    context: ContextContrast = ContextContrast()


@recipe_command(
    "sentence-lm",
    epochs=5,
    batch_size=256,
    lr=1e-3,
    sized=False,
    options=[
        click.option("--width", type=click.IntRange(min=1), default=512, show_default=True, help="Hidden width."),
        click.option("--layers", type=click.IntRange(min=1), default=2, show_default=True, help="Residual blocks."),
    ],
    settings=SentenceLM(),
    training=Training(Optimizer(weight_decay=0.1), Rate("cosine", warmup=0.1), Average(0.99)),
)
def sentence_lm(given: Options, own: SentenceLM) -> Recipe:
    """Sentence-level language model: a residual MLP, contrast with batch, article and context."""
    return Recipe(
        objective=objective(own),
        model_type="sentence-lm",
        model={"context": given["context"], "width": given["width"], "depth": given["layers"]},
        needs=Needs(negatives=own.contrast.negatives),
    )


def objective(own: SentenceLM) -> "Objective":
    """The contrast with other sentences and, weighted, the one with the context."""
    from lvm_gates.trainers.losses import bilinear_nce
    from lvm_gates.trainers.objective import Loss

    sharpness = own.contrast.sharpness

    def loss(step: "Step") -> "Loss":
        target = step.target
        total = bilinear_nce(
            step.raw,
            target,
            step.negatives,
            sharpness,
            exclude=target @ target.T > _SAME,
            ignore=_again(step.negatives, target),
        )
        parts: dict[str, Tensor | float] = {"contrast": total}
        if own.context.weight and step.auxiliary:
            again = _again(step.context, target)
            parts["context"] = bilinear_nce(step.raw, target, step.context, sharpness, in_batch=False, ignore=again)
            total = total + own.context.weight * parts["context"]
        return Loss(total, parts)

    return loss


def _again(chunks: "Tensor", target: "Tensor") -> "Tensor":
    """(B, N) where a chunk is the target once more."""
    return (chunks @ target[:, :, None]).squeeze(-1) > _SAME
