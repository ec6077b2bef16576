"""A recipe of your own: P1 plus InfoNCE against chunks of the target's own article that the network has not read.

lvm-train python:examples.custom_recipe:p8 --epochs 5 --out runs/p8
lvm-train python:examples.custom_recipe:p8 --set contrast.weight="1:0 3:.05" --set average.decay=.99
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.objective import Step, Term, weighted
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule, constant
from lvm_gates.trainers.settings import setting

# Unit vectors nearer than this are one chunk: float32 moves a copied vector by less than 1e-6.
SAME_CHUNK = 1e-5


def in_article_contrast(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    negatives: Float[Tensor, "batch negatives dim"],
    context: Float[Tensor, "batch context dim"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Mean cross entropy of the target among chunks of its own article; those in the context are no negatives.

    Returns:
        A scalar, not negative; 0 where a sample has no negative.
    """
    others = functional.normalize(negatives, dim=-1)
    seen = torch.einsum("bnd,bcd->bnc", others, functional.normalize(context, dim=-1)).amax(dim=-1) > 1 - SAME_CHUNK
    right = functional.cosine_similarity(prediction, target)[:, None]
    wrong = torch.einsum("bd,bnd->bn", prediction, others).masked_fill(seen, -torch.inf)
    logits = torch.cat([right, wrong], dim=1) / temperature
    return functional.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))


@dataclass(frozen=True)
class Contrast:
    """Every field is an option: ``--set contrast.weight=.1``."""

    weight: Schedule = setting(constant(0.05), "of InfoNCE, by epoch", low=0)
    temperature: float = setting(0.1, "of its softmax", low=1e-3)
    negatives: int = setting(16, "chunks of its article that a target is compared with", low=1)


@dataclass(frozen=True)
class P8:
    """The settings of this recipe."""

    contrast: Contrast = Contrast()


@recipe_command("p8", epochs=5, batch_size=64, settings=P8())
def p8(given: Options, own: P8) -> Recipe:
    """P1 plus InfoNCE with negatives from the target's own article, outside the context."""
    asked = own.contrast

    def contrast(step: Step) -> Tensor:
        return in_article_contrast(step.prediction, step.target, step.negatives, step.context, asked.temperature)

    return Recipe(
        objective=weighted(Term("contrast", asked.weight, contrast)),
        model=sizes(given),
        needs=Needs(negatives=asked.negatives),
    )
