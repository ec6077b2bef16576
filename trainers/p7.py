"""P7: a ranker anchored to its context, trained by contrast (docs/sources.md, "P7")."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from lvm_gates.trainers.command import Options, recipe_command
from lvm_gates.trainers.options import as_published, asked, finite, refuse_beside
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.settings import setting
from lvm_gates.trainers.training_settings import Optimizer, Rate, Training

if TYPE_CHECKING:
    from lvm_gates.trainers.objective import Loss, Objective, Step

LSTM_LAYERS = 2


@dataclass(frozen=True)
class Rank:
    """InfoNCE."""

    weight: float = setting(1.0, "of InfoNCE", low=0)
    temperature: float = setting(0.07, "of its softmax", low=1e-6, option="temperature")


@dataclass(frozen=True)
class LastHinge:
    """The hinge over the last frame."""

    weight: float = setting(0.5, "of the hinge over the last frame", low=0)
    margin: float = setting(0.07, "by how much the target must be nearer, in cosines", option="margin")


@dataclass(frozen=True)
class Teacher:
    """The pull on windows far from their target."""

    weight: float = setting(0.2, "of the pull on windows far from their target", low=0)
    epochs: int = setting(2, "that have it", low=0)
    floor: float = setting(0.20, "cosine below which a window is far", low=-1, high=1)


@dataclass(frozen=True)
class Anchor:
    """The mean of the context beside the query."""

    share: float = setting(0.8, "of the query in the prediction", low=0, high=1, option="anchor_share")
    learnable: bool = setting(True, "whether it is learnt, if it starts between .6 and .9")


@dataclass(frozen=True)
class AnchorFloor:
    """Under the query's cosine to the mean of the context.

    The third follow-up names neither threshold nor weight: it expects an anchor cosine above .5, and the margin's
    weight is taken.
    """

    weight: float = setting(0.0, "of the hinge", low=0)
    cosine: float = setting(0.5, "that costs nothing", low=-1, high=1)


@dataclass(frozen=True)
class Cosine:
    """Plain regression."""

    weight: float = setting(0.0, "of 1 - cosine to the target", low=0)


@dataclass(frozen=True)
class Gate:
    """What weighs windows by whether they move forward."""

    threshold: float = setting(0.03, "by how much nearer the last frame is to the target than to the one before it")
    low: float = setting(0.25, "weight of a window below that", low=1e-6, high=1)


@dataclass(frozen=True)
class Negatives:
    """Rivals of the target beside the last frame."""

    hard: int = setting(2, "drawn from its article (as published from anywhere)", low=0)
    same_article: bool = setting(False, "whether targets of its own article in the batch are rivals, too")


@dataclass(frozen=True)
class P7:
    """The defaults are the baseline that was run."""

    rank: Rank = Rank()
    hinge: LastHinge = LastHinge()
    teacher: Teacher = Teacher()
    anchor: Anchor = Anchor()
    anchor_floor: AnchorFloor = AnchorFloor()
    cosine: Cosine = Cosine()
    gate: Gate = Gate()
    negatives: Negatives = Negatives()


BASELINE = P7()
# The follow-ups that were planned and never run.
PLANS = {
    "baseline": BASELINE,
    "strong-margin": replace(BASELINE, rank=Rank(0.5), hinge=LastHinge(1.5), teacher=Teacher(epochs=5)),
    "anchor": replace(BASELINE, anchor=Anchor(0.6, learnable=False), anchor_floor=AnchorFloor(0.5)),
    "pure-margin": replace(BASELINE, rank=Rank(0.0), cosine=Cosine(1.0)),
}
EPOCHS = {name: 15 if name == "strong-margin" else 10 for name in PLANS}


def documented(given: Options) -> P7:
    """Values of a plan, with what the short options say; as published the batch's own article is no exception."""
    own = PLANS[given["option"]]
    share = own.anchor.share if given["anchor_share"] is None else given["anchor_share"]
    return replace(
        own,
        rank=replace(own.rank, temperature=given["temperature"]),
        hinge=replace(own.hinge, margin=given["margin"]),
        anchor=replace(own.anchor, share=share),
        negatives=Negatives(same_article=given["as_published"]),
    )


@recipe_command(
    "p7",
    epochs=lambda given: EPOCHS[given["option"]],
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
    settings=documented,
    training=Training(Optimizer(weight_decay=1e-4), Rate("constant")),
)
def p7(given: Options, own: P7) -> Recipe:
    """Contrast with the batch and hard negatives, a hinge over the last frame, a teacher in the first epochs.

    The prediction is a learnt share of the network's query and, for the rest, the mean of the context. In the
    original code that share was a constant, positions were zeros, hard negatives came from anywhere, and the gate,
    which weighs forward-moving samples, compared a vector with itself.
    """
    published = given["as_published"]
    learnable = own.anchor.learnable and 0.6 < own.anchor.share < 0.9
    network: dict[str, Any] = {
        "width": given["width"],
        "anchor_share": own.anchor.share,
        "learnable": learnable and not published,
        "positions": not published,
    }
    if given["network"] == "ranker":
        network |= {"depth": given["layers"], "heads": given["heads"]}
    else:
        refuse_beside("--network ranker-lstm", "heads")
        network |= {"depth": given["layers"] if asked("layers") else LSTM_LAYERS}
    return Recipe(
        objective=objective(own, published=published),
        model_type=given["network"],
        model=network,
        needs=Needs(frames=1 if published else 2, negatives=own.negatives.hard, foreign_negatives=published),
    )


def objective(own: P7, *, published: bool) -> "Objective":
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

    floor = own.anchor_floor

    def loss(step: "Step") -> "Loss":
        prediction, target, last = step.prediction, step.target, step.last
        # The gate asks whether the text moves on: nearer to the target than to where it came from.
        gates = directional_gate(
            last, target, last if published else step.context[:, -2], own.gate.threshold, own.gate.low
        )
        gate = gates.mean()
        # Parts are means in which a sample counts by its gate, so that they can be read beside an ungated run's.
        weight = gates / gate
        parts: dict[str, Any] = {"gate": gate}
        total = torch.zeros((), device=prediction.device)
        if own.rank.weight:
            negatives = torch.cat([last[:, None], step.negatives], dim=1)
            same = None if own.negatives.same_article else step.article[:, None] == step.article[None, :]
            parts["info_nce"] = info_nce(
                prediction, target, negatives, own.rank.temperature, exclude=same, weight=weight
            )
            total = total + own.rank.weight * gate * parts["info_nce"]
        if step.auxiliary:
            parts["hinge"] = directional_margin(prediction, target, last, own.hinge.margin, weight)
            total = total + own.hinge.weight * gate * parts["hinge"]
        if own.teacher.weight and step.epoch <= own.teacher.epochs:
            parts["teacher"] = teacher_pull(prediction, target, own.teacher.floor)
            total = total + own.teacher.weight * parts["teacher"]
        anchor = context_anchor(step.context)
        if floor.weight:
            # The query itself: beside the anchor it would keep a cosine of .555 even if it were orthogonal.
            query = step.raw - (1 - own.anchor.share) * anchor
            parts["anchor"] = anchor_floor(query, anchor, floor.cosine)
            total = total + floor.weight * parts["anchor"]
        if own.cosine.weight:
            parts["cosine"] = 1 - cosine(prediction, target)
            total = total + own.cosine.weight * parts["cosine"]
        with torch.no_grad():
            parts["anchor_cosine"] = cosine_each(prediction, anchor).mean()
        return Loss(total, parts)

    return loss
