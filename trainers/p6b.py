"""P6b: P6 under a softplus margin whose weight follows the regression loss; five versions (docs/sources.md, "P6b").

The weight never lets go: share x MSE / term grows as the term shrinks, so the push stays at share x sharpness x MSE
once the margin is met, and grows with the MSE it drives up (docs/sources.md, "Why runs collapsed"). That is the
collapse of v1.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.p6 import SKIP
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.recipe_settings import Corruption, as_run_by_default
from lvm_gates.trainers.schedule import Schedule, constant
from lvm_gates.trainers.settings import setting

if TYPE_CHECKING:
    from torch import Tensor

    from lvm_gates.trainers.objective import Loss, Objective, Step

SkipRule = Literal["never", "either-negative", "v2.1"]


@dataclass(frozen=True)
class Direction:
    """The softplus margin over the previous chunk, and what weighs it; what a version lacks is zero."""

    sharpness: float = setting(4.0, "gamma of the softplus", low=1e-6)
    margin: Schedule = setting(constant(0.02), "m, by epoch")
    share: Schedule = setting(constant(0.10), "of the MSE that the term is to weigh, by epoch", low=0)
    low: float = setting(1e-4, "lower clamp of lambda", low=0)
    high: float = setting(0.02, "upper clamp of lambda", low=0)
    cap: Schedule | None = setting(None, "largest share of the MSE, by epoch; none for no cap", low=0)
    ratio: float = setting(0.0, "share of the term that is of the gap over both cosines", low=0, high=1)
    ratio_margin: float = setting(0.05, "m of that part")
    skip: SkipRule = setting("never", "never, either-negative (v2) or v2.1: which batches are left without the term")


@dataclass(frozen=True)
class Floor:
    """Under the cosine to the target."""

    cosine: float = setting(0.10, "below which a window pays", low=-1, high=1)
    weight: float = setting(0.0, "of the squared rest", low=0)


@dataclass(frozen=True)
class Norm:
    """Of a prediction that has unit norm: nothing, in documents and code alike (docs/sources.md, "P6b")."""

    weight: float = setting(0.0, "of the unit-norm term, which does nothing", low=0)


@dataclass(frozen=True)
class Orthogonality:
    """Off the previous chunk."""

    weight: float = setting(0.0, "of the squared cosine to the previous chunk", low=0)


@dataclass(frozen=True)
class Confidence:
    """Lambda fades where the batch predicts badly."""

    on: bool = setting(False, "whether lambda fades where the batch predicts badly")
    start: float = setting(0.30, "mean cosine up to which lambda is 0", low=-1, high=1)
    width: float = setting(0.15, "in cosines, until it is whole", low=1e-6)


@dataclass(frozen=True)
class Version:
    """Constants of one version."""

    direction: Direction
    floor: Floor = Floor()
    norm: Norm = Norm()
    orthogonality: Orthogonality = Orthogonality()
    confidence: Confidence = Confidence()
    corruption: Corruption = Corruption()


# The documents' epochs; the original code moved the steps of v2 and v2.3 (`AS_PUBLISHED`).
V2 = Direction(
    margin=Schedule({1: 0.02, 3: 0.03, 6: 0.04, 9: 0.05}),
    share=Schedule({1: 0.10, 3: 0.15, 6: 0.20, 9: 0.25}),
    skip="either-negative",
)
V21 = Direction(
    margin=Schedule({1: 0.02, 4: 0.03, 7: 0.04, 10: 0.05}),
    share=Schedule({1: 0.10, 4: 0.15, 7: 0.20, 10: 0.25}),
    cap=constant(0.25),
    ratio=0.3,
    skip="v2.1",
)
V22 = replace(
    V21,
    high=0.03,
    margin=Schedule({1: 0.02, 3: 0.04, 5: 0.06, 9: 0.07}),
    share=Schedule({1: 0.15, 3: 0.25, 5: 0.35}),
    cap=Schedule({1: 0.35, 3: 0.45, 5: 0.50}),
)
V23 = replace(
    V21,
    high=0.018,
    margin=Schedule({1: 0.02, 4: 0.03, 8: 0.04}),
    share=Schedule({1: 0.15, 4: 0.20, 8: 0.25}),
    cap=Schedule({1: 0.30, 4: 0.35, 8: 0.40}),
)
VERSIONS = {
    "v1": Version(
        Direction(
            sharpness=8.0,
            high=0.05,
            margin=Schedule({1: 0.02, 3: 0.04, 6: 0.05}),
            share=Schedule({1: 0.10, 3: 0.20, 6: 0.25}),
        )
    ),
    "v2": Version(V2),
    "v2.1": Version(V21, floor=Floor(0.10, 1e-3), norm=Norm(1e-3)),
    "v2.2": Version(V22, floor=Floor(0.12, 2e-3), norm=Norm(1e-3), orthogonality=Orthogonality(5e-4)),
    "v2.3": Version(
        V23,
        floor=Floor(0.10, 1e-3),
        norm=Norm(1e-3),
        orthogonality=Orthogonality(1e-4),
        confidence=Confidence(on=True),
    ),
}
AS_PUBLISHED = {
    "v2": replace(V2, margin=V21.margin, share=V21.share),
    "v2.3": replace(
        V23,
        margin=Schedule({1: 0.02, 5: 0.03, 8: 0.04}),
        share=Schedule({1: 0.15, 5: 0.20, 8: 0.25}),
        cap=Schedule({1: 0.30, 5: 0.35, 8: 0.40}),
    ),
}


def version_of(name: str, *, published: bool) -> Version:
    """A version's constants, with the original code's steps where they differ from the documents'."""
    version = VERSIONS[name]
    if not published:
        return version
    return replace(
        version, direction=AS_PUBLISHED.get(name, version.direction), corruption=as_run_by_default(published)
    )


@recipe_command(
    "p6b",
    epochs=12,
    batch_size=32,
    options=[
        click.option("--version", type=click.Choice(list(VERSIONS)), default="v2", show_default=True),
        click.option(
            "--recover",
            type=click.Path(path_type=Path),
            metavar="CHECKPOINT",
            help="Start from these weights; the original recovery named a checkpoint and started from scratch.",
        ),
        as_published(
            "the previous chunk is the second-to-last frame, v2 and v2.3 change their steps later, the last frame is "
            "corrupted by default"
        ),
    ],
    settings=lambda given: version_of(given["version"], published=given["as_published"]),
)
def p6b(given: Options, own: Version) -> Recipe:
    """P6 under a softplus margin over the chunk before the target, weighted by the regression loss.

    That chunk is the one the network never sees; the original code took a frame two places earlier, and corrupted
    last frames by a default that nobody had asked for.
    """
    from lvm_gates.trainers.augment import corrupting

    published = given["as_published"]
    return Recipe(
        objective=objective(own, published=published),
        model=sizes(given),
        needs=Needs(target=SKIP, frames=2 if published else 1),
        augment=corrupting(own.corruption),
        schedules={"margin": own.direction.margin, "share": own.direction.share},
    )


def objective(version: Version, *, published: bool) -> "Objective":
    """MSE, the weighted direction term, and whatever else the version has."""
    import torch

    from lvm_gates.trainers.losses import (
        cap_share,
        confidence,
        cosine_each,
        lambda_eff,
        margin_ratio,
        mse_loss,
        never_skip,
        orthogonality,
        positive_floor,
        skip_on_negative,
        skip_v21,
        softplus_margin,
        unit_norm_penalty,
    )
    from lvm_gates.trainers.objective import Loss

    asked, fades = version.direction, version.confidence
    skips = {"never": never_skip, "either-negative": skip_on_negative, "v2.1": skip_v21}[asked.skip]

    def loss(step: "Step") -> "Loss":
        mse = mse_loss(step.raw, step.target)
        if not step.auxiliary:
            return Loss(mse, {"mse": mse})
        positive = cosine_each(step.prediction, step.target)
        negative = cosine_each(step.prediction, step.read[:, -2] if published else step.before)
        term = softplus_margin(positive - negative, asked.margin.at(step.epoch), asked.sharpness)
        if asked.ratio:
            ratio = softplus_margin(margin_ratio(positive, negative), asked.ratio_margin, asked.sharpness)
            term = (1 - asked.ratio) * term + asked.ratio * ratio
        weight = lambda_eff(mse, term, asked.share.at(step.epoch), low=asked.low, high=asked.high)
        if fades.on:
            weight = weight * confidence(positive.mean(), fades.start, fades.width)
        if asked.cap is not None:
            weight = cap_share(weight, term, mse, asked.cap.at(step.epoch))
        skipped = skips(positive.mean(), negative.mean())
        # Chosen on the device: to branch here would be to wait for it in every step.
        total = torch.where(skipped, mse, mse + weight * term)
        if version.floor.weight:
            total = total + version.floor.weight * positive_floor(positive, version.floor.cosine)
        if version.norm.weight:
            # Documents and code alike take it of the prediction, which is of unit norm: it is nothing
            # (docs/sources.md, "P6b").
            total = total + version.norm.weight * unit_norm_penalty(step.prediction)
        if version.orthogonality.weight:
            total = total + version.orthogonality.weight * orthogonality(negative)
        parts: dict[str, Tensor | float] = {
            "mse": mse,
            "direction": term,
            "skipped": skipped.float(),
            "previous_cosine": negative.mean(),
            "lambda": torch.where(skipped, torch.nan, weight),
        }
        return Loss(total, parts)

    return loss
