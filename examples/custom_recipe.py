"""A recipe of your own: P1 plus InfoNCE against chunks of the target's own article that the network has not read.

lvm-train python:examples.custom_recipe:p8 --epochs 5 --out runs/p8
"""

import click
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.objective import Step, Term, weighted
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule

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


@recipe_command(
    "p8",
    epochs=5,
    batch_size=64,
    options=[
        click.option("--contrast", type=click.FloatRange(min=0), default=0.05, show_default=True, help="Weight."),
        click.option("--temperature", type=click.FloatRange(min=0, min_open=True), default=0.1, show_default=True),
        click.option("--negatives", type=click.IntRange(min=1), default=16, show_default=True, help="A sample."),
    ],
)
def p8(given: Options) -> Recipe:
    """P1 plus InfoNCE with negatives from the target's own article, outside the context."""

    def contrast(step: Step) -> Tensor:
        return in_article_contrast(step.prediction, step.target, step.negatives, step.context, given["temperature"])

    return Recipe(
        objective=weighted(Term("contrast", Schedule({1: given["contrast"]}), contrast)),
        model=sizes(given),
        needs=Needs(negatives=given["negatives"]),
    )
