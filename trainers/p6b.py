"""P6b: P6 under a softplus margin whose weight follows the regression loss; five versions (docs/sources.md, "P6b").

The weight never lets go: share x MSE / term grows as the term shrinks, so the push stays at share x sharpness x MSE
once the margin is met, and grows with the MSE it drives up (docs/sources.md, "Why runs collapsed"). That is the
collapse of v1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lvm_gates.trainers.command import Options, recipe_command, sizes
from lvm_gates.trainers.options import as_published
from lvm_gates.trainers.p6 import SKIP, corrupted
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.schedule import Schedule

if TYPE_CHECKING:
    from torch import Tensor

    from lvm_gates.trainers.objective import Loss, Objective, Step


@dataclass(frozen=True)
class Version:
    """Constants of one version; what a version lacks is zero.

    Attributes:
        sharpness: gamma of the softplus.
        high: upper clamp of lambda_eff; the lower is 1e-4 in all.
        margin: m by epoch.
        share: of the MSE that the term is to weigh, by epoch.
        skip: name of the rule that leaves the term out of a batch.
        ratio: share of the ratio term in the direction term; its margin is .05.
        cap: largest share of the MSE.
        floor: (cosine to the target, weight) of the floor.
        norm: weight of the unit-norm term.
        orthogonality: weight of the squared cosine to the previous chunk.
        confidence: whether lambda_eff fades where the batch predicts badly.
    """

    sharpness: float
    high: float
    margin: Schedule
    share: Schedule
    skip: str = ""
    ratio: float = 0.0
    cap: Schedule | None = None
    floor: tuple[float, float] = (0.0, 0.0)
    norm: float = 0.0
    orthogonality: float = 0.0
    confidence: bool = False


RATIO_MARGIN = 0.05
# The documents' epochs; the original code moved the steps of v2 and v2.3 (`AS_PUBLISHED`).
VERSIONS = {
    "v1": Version(8.0, 0.05, Schedule({1: 0.02, 3: 0.04, 6: 0.05}), Schedule({1: 0.10, 3: 0.20, 6: 0.25})),
    "v2": Version(
        4.0,
        0.02,
        Schedule({1: 0.02, 3: 0.03, 6: 0.04, 9: 0.05}),
        Schedule({1: 0.10, 3: 0.15, 6: 0.20, 9: 0.25}),
        skip="either negative",
    ),
    "v2.1": Version(
        4.0,
        0.02,
        Schedule({1: 0.02, 4: 0.03, 7: 0.04, 10: 0.05}),
        Schedule({1: 0.10, 4: 0.15, 7: 0.20, 10: 0.25}),
        skip="v2.1",
        ratio=0.3,
        cap=Schedule({1: 0.25}),
        floor=(0.10, 1e-3),
        norm=1e-3,
    ),
    "v2.2": Version(
        4.0,
        0.03,
        Schedule({1: 0.02, 3: 0.04, 5: 0.06, 9: 0.07}),
        Schedule({1: 0.15, 3: 0.25, 5: 0.35}),
        skip="v2.1",
        ratio=0.3,
        cap=Schedule({1: 0.35, 3: 0.45, 5: 0.50}),
        floor=(0.12, 2e-3),
        norm=1e-3,
        orthogonality=5e-4,
    ),
    "v2.3": Version(
        4.0,
        0.018,
        Schedule({1: 0.02, 4: 0.03, 8: 0.04}),
        Schedule({1: 0.15, 4: 0.20, 8: 0.25}),
        skip="v2.1",
        ratio=0.3,
        cap=Schedule({1: 0.30, 4: 0.35, 8: 0.40}),
        floor=(0.10, 1e-3),
        norm=1e-3,
        orthogonality=1e-4,
        confidence=True,
    ),
}
AS_PUBLISHED: dict[str, dict[str, Any]] = {
    "v2": {
        "margin": Schedule({1: 0.02, 4: 0.03, 7: 0.04, 10: 0.05}),
        "share": Schedule({1: 0.10, 4: 0.15, 7: 0.20, 10: 0.25}),
    },
    "v2.3": {
        "margin": Schedule({1: 0.02, 5: 0.03, 8: 0.04}),
        "share": Schedule({1: 0.15, 5: 0.20, 8: 0.25}),
        "cap": Schedule({1: 0.30, 5: 0.35, 8: 0.40}),
    },
}
Before = Callable[["Step"], "Tensor"]


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
)
def p6b(given: Options) -> Recipe:
    """P6 under a softplus margin over the chunk before the target, weighted by the regression loss.

    That chunk is the one the network never sees; the original code took a frame two places earlier, and corrupted
    last frames by a default that nobody had asked for.
    """
    version = version_of(given["version"], published=given["as_published"])
    return Recipe(
        objective=objective(version, published=given["as_published"]),
        model=sizes(given),
        needs=Needs(target=SKIP, frames=2 if given["as_published"] else 1),
        augment=corrupted if given["as_published"] else None,
        schedules={"margin": version.margin, "share": version.share},
    )


def version_of(name: str, *, published: bool) -> Version:
    """A version's constants, with the original code's steps where they differ from the documents'."""
    from dataclasses import replace

    changed = AS_PUBLISHED.get(name, {}) if published else {}
    return replace(VERSIONS[name], **changed)


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

    skips = {"": never_skip, "either negative": skip_on_negative, "v2.1": skip_v21}[version.skip]

    def loss(step: "Step") -> "Loss":
        mse = mse_loss(step.raw, step.target)
        if not step.auxiliary:
            return Loss(mse, {"mse": mse})
        positive = cosine_each(step.prediction, step.target)
        negative = cosine_each(step.prediction, step.read[:, -2] if published else step.before)
        term = softplus_margin(positive - negative, version.margin.at(step.epoch), version.sharpness)
        if version.ratio:
            ratio = softplus_margin(margin_ratio(positive, negative), RATIO_MARGIN, version.sharpness)
            term = (1 - version.ratio) * term + version.ratio * ratio
        weight = lambda_eff(mse, term, version.share.at(step.epoch), high=version.high)
        if version.confidence:
            weight = weight * confidence(positive.mean())
        if version.cap is not None:
            weight = cap_share(weight, term, mse, version.cap.at(step.epoch))
        skipped = skips(positive.mean(), negative.mean())
        # Chosen on the device: to branch here would be to wait for it in every step.
        total = torch.where(skipped, mse, mse + weight * term)
        floor, floor_weight = version.floor
        if floor_weight:
            total = total + floor_weight * positive_floor(positive, floor)
        if version.norm:
            # Documents and code alike take it of the prediction, which is of unit norm: it is nothing
            # (docs/sources.md, "P6b").
            total = total + version.norm * unit_norm_penalty(step.prediction)
        if version.orthogonality:
            total = total + version.orthogonality * orthogonality(negative)
        parts: dict[str, Tensor | float] = {
            "mse": mse,
            "direction": term,
            "skipped": skipped.float(),
            "previous_cosine": negative.mean(),
            "lambda": torch.where(skipped, torch.nan, weight),
        }
        return Loss(total, parts)

    return loss
