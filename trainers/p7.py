"""P7: a ranker anchored to its context, trained by contrast (docs/sources.md, "P7")."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from lvm_gates.trainers.command import Options, recipe_command
from lvm_gates.trainers.options import as_published, asked, finite, refuse_beside
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule

if TYPE_CHECKING:
    from lvm_gates.trainers.objective import Loss, Objective, Step

HARD_NEGATIVES = 2
LSTM_LAYERS = 2
TEACHER_FLOOR = 0.20
# The third follow-up names neither threshold nor weight: it expects an anchor cosine above .5, and the margin's weight
# is taken.
ANCHOR_FLOOR = 0.5


@dataclass(frozen=True)
class Plan:
    """The weights of one run; the defaults are the baseline that was run.

    Attributes:
        rank: of InfoNCE.
        margin: of the hinge over the last frame.
        teacher: of the pull on samples far from their target.
        warmup: epochs with the teacher.
        anchor_share: lambda, the raw share of the prediction.
        learnable: whether lambda is learnt, inside [.6, .9].
        anchor: of the floor under the query's cosine to the context mean.
        cosine: of 1 - cosine to the target.
        epochs: documented number.
    """

    rank: float = 1.0
    margin: float = 0.5
    teacher: float = 0.2
    warmup: int = 2
    anchor_share: float = 0.8
    learnable: bool = True
    anchor: float = 0.0
    cosine: float = 0.0
    epochs: int = 10


BASELINE = Plan()
# The follow-ups that were planned and never run.
PLANS = {
    "baseline": BASELINE,
    "strong-margin": replace(BASELINE, rank=0.5, margin=1.5, warmup=5, epochs=15),
    "anchor": replace(BASELINE, anchor_share=0.6, learnable=False, anchor=0.5),
    "pure-margin": replace(BASELINE, rank=0.0, cosine=1.0),
}


@recipe_command(
    "p7",
    epochs=lambda given: PLANS[given["option"]].epochs,
    batch_size=64,
    select="last-margin",
    options=[
        click.option("--option", type=click.Choice(list(PLANS)), default="baseline", show_default=True),
        click.option("--network", type=click.Choice(["ranker", "ranker-lstm"]), default="ranker", show_default=True),
        click.option(
            "--margin",
            type=float,
            default=0.07,
            show_default=True,
            callback=finite,
            help="Of the hinge over the last frame.",
        ),
        click.option(
            "--temperature",
            type=click.FloatRange(min=0, min_open=True),
            default=0.07,
            show_default=True,
            callback=finite,
        ),
        click.option(
            "--anchor-share",
            type=click.FloatRange(0, 1),
            callback=finite,
            help="The query's share of the prediction, learnt if between .6 and .9 [default: .8; .6 with anchor].",
        ),
        as_published("no positions, fixed share, negatives from anywhere, a gate that is always .25"),
    ],
)
def p7(given: Options) -> Recipe:
    """Contrast with the batch and hard negatives, a hinge over the last frame, a teacher in the first epochs.

    The prediction is a learnt share of the network's query and, for the rest, the mean of the context. In the
    original code that share was a constant, positions were zeros, hard negatives came from anywhere, and the gate,
    which weighs forward-moving samples, compared a vector with itself.
    """
    published = given["as_published"]
    plan = PLANS[given["option"]]
    if (share := given["anchor_share"]) is not None:
        plan = replace(plan, anchor_share=share, learnable=plan.learnable and 0.6 < share < 0.9)
    network: dict[str, Any] = {
        "width": given["width"],
        "anchor_share": plan.anchor_share,
        "learnable": plan.learnable and not published,
        "positions": not published,
    }
    if given["network"] == "ranker":
        network |= {"depth": given["layers"], "heads": given["heads"]}
    else:
        refuse_beside("--network ranker-lstm", "heads")
        network |= {"depth": given["layers"] if asked("layers") else LSTM_LAYERS}
    return Recipe(
        objective=objective(plan, given["margin"], given["temperature"], published=published),
        model_type=given["network"],
        model=network,
        needs=Needs(frames=1 if published else 2, negatives=HARD_NEGATIVES, foreign_negatives=published),
        weight_decay=1e-4,
        plateau=False,
    )


def objective(plan: Plan, margin: float, temperature: float, *, published: bool) -> "Objective":
    """The gated contrast and hinge, and the ungated rest."""
    import torch

    from lvm_gates.models.ranker import context_anchor
    from lvm_gates.trainers.losses import (
        anchor_floor,
        cosine,
        cosine_each,
        directional_gate,
        directional_margin,
        info_nce,
        teacher_pull,
    )
    from lvm_gates.trainers.objective import Loss

    teacher = Schedule({1: plan.teacher, plan.warmup + 1: 0.0})

    def loss(step: "Step") -> "Loss":
        prediction, target, last = step.prediction, step.target, step.last
        # The gate asks whether the text moves on: nearer to the target than to where it came from.
        gates = directional_gate(last, target, last if published else step.context[:, -2])
        gate = gates.mean()
        # Parts are means in which a sample counts by its gate, so that they can be read beside an ungated run's.
        weight = gates / gate
        parts: dict[str, Any] = {"gate": gate}
        total = torch.zeros((), device=prediction.device)
        if plan.rank:
            negatives = torch.cat([last[:, None], step.negatives], dim=1)
            same = None if published else step.article[:, None] == step.article[None, :]
            parts["info_nce"] = info_nce(prediction, target, negatives, temperature, exclude=same, weight=weight)
            total = total + plan.rank * gate * parts["info_nce"]
        if step.auxiliary:
            parts["hinge"] = directional_margin(prediction, target, last, margin, weight)
            total = total + plan.margin * gate * parts["hinge"]
        if teacher.at(step.epoch):
            parts["teacher"] = teacher_pull(prediction, target, TEACHER_FLOOR)
            total = total + teacher.at(step.epoch) * parts["teacher"]
        anchor = context_anchor(step.context)
        if plan.anchor:
            # The query itself: beside the anchor it would keep a cosine of .555 even if it were orthogonal.
            query = step.raw - (1 - plan.anchor_share) * anchor
            parts["anchor"] = anchor_floor(query, anchor, ANCHOR_FLOOR)
            total = total + plan.anchor * parts["anchor"]
        if plan.cosine:
            parts["cosine"] = 1 - cosine(prediction, target)
            total = total + plan.cosine * parts["cosine"]
        with torch.no_grad():
            parts["anchor_cosine"] = cosine_each(prediction, anchor).mean()
        return Loss(total, parts)

    return loss
