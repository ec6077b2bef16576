"""The champion: context, ridge and climatology weighed by gates, against negatives of the window's own article.

The architecture is `models.band_gated`; docs/champion.md has what it reaches, and what was tried beside it.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from lvm_gates.trainers.command import Options, recipe_command
from lvm_gates.trainers.options import open_training_corpus
from lvm_gates.trainers.recipe import Needs, Recipe
from lvm_gates.trainers.settings import setting
from lvm_gates.trainers.training_settings import Average, NetworkSettings, Optimizer, Rate, Training

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int
    from torch import Tensor

    from lvm_gates.harness.corpus.windows import Windows
    from lvm_gates.trainers.objective import Loss, Objective, Step


@dataclass(frozen=True)
class Contrast:
    """InfoNCE against chunks of the article that are not in the context."""

    weight: float = setting(0.03, "of InfoNCE beside 1 - cosine", low=0)
    sharpness: float = setting(8.0, "of its softmax: one over the temperature, in cosines", low=1e-3)
    negatives: int = setting(32, "drawn from the article", low=1)


@dataclass(frozen=True)
class Rollout:
    """Windows whose newest frames are the network's own answers, without gradient through those."""

    weight: float = setting(0.5, "of their 1 - cosine", low=0)
    share: float = setting(0.125, "of the windows of a step", low=0, high=1)
    steps: int = setting(4, "own answers at most; how many is drawn for each step", low=1)


@dataclass(frozen=True)
class Ridge:
    """The regressions."""

    frames: int = setting(5, "that they read, the last ones of the context", low=1)


@dataclass(frozen=True)
class Draw:
    """Windows of an epoch."""

    per_domain: int = setting(16_000, "windows of each domain, drawn anew for each epoch", low=1)


@dataclass(frozen=True)
class Champion:
    """The defaults are those of docs/champion.md."""

    contrast: Contrast = Contrast()
    rollout: Rollout = Rollout()
    ridge: Ridge = Ridge()
    draw: Draw = Draw()


@recipe_command(
    "champion",
    epochs=6,
    batch_size=512,
    lr=2e-3,
    context=10,
    sized=False,
    options=[
        click.option("--width", type=click.IntRange(min=1), default=256, show_default=True, help="Units of a head."),
        click.option("--bands", type=click.IntRange(1, 5), default=1, show_default=True, help="Bands of the frames."),
        click.option(
            "--heads", type=click.IntRange(min=1), default=3, show_default=True, help="Networks in the gates."
        ),
    ],
    settings=Champion(),
    training=Training(Optimizer(weight_decay=1.0), Rate("cosine", warmup=0.5), Average(0.99), NetworkSettings(0.0)),
)
def champion(given: Options, own: Champion) -> Recipe:
    """Gates that weigh context, ridge and climatology by how alike they are.

    Each file that the corpus was imported from is a domain, and the ridge that a window reads in training was fitted
    without its own, so that the gates learn how far to trust what was fitted elsewhere. A corpus of one file is dealt
    into three folds.
    """
    from lvm_gates.trainers.domains import domains_of, fit

    corpus = open_training_corpus(given["corpus"])
    domains = domains_of(corpus)
    size = int(domains.max()) + 1
    return Recipe(
        objective=objective(own),
        model_type="band-gated",
        model={
            "context": given["context"],
            "domains": size,
            "reach": min(own.ridge.frames, given["context"]),
            "bands": given["bands"],
            "width": given["width"],
            "heads": given["heads"],
        },
        needs=Needs(ahead=own.rollout.steps if own.rollout.weight else 0, negatives=own.contrast.negatives),
        prepare=lambda network, windows: fit(network, windows, domains),
        labels=domains,
        select_windows=lambda windows, epoch: drawn(windows, domains, own.draw.per_domain, epoch),
    )


def drawn(windows: "Windows", domains: "Int[np.ndarray, ' articles']", most: int, epoch: int) -> "Windows":
    """At most so many windows of each domain, others in every epoch."""
    import numpy as np

    rng = np.random.default_rng([epoch, most])
    of = domains[windows.clusters]
    picked = [rng.permutation(mine)[:most] for domain in np.unique(of) for mine in [np.flatnonzero(of == domain)]]
    return windows.take(np.sort(np.concatenate(picked)))


def objective(own: Champion) -> "Objective":
    """1 - cosine, the contrast, and the closed loop."""
    from lvm_gates.trainers.losses import cosine_each
    from lvm_gates.trainers.objective import Loss

    def loss(step: "Step") -> "Loss":
        cosine = cosine_each(step.raw, step.target)
        total = (1 - cosine).mean()
        parts: dict[str, Tensor | float] = {"cosine": total}
        if own.contrast.weight:
            parts["contrast"] = contrast(step, own.contrast.sharpness)
            total = total + own.contrast.weight * parts["contrast"]
        if own.rollout.weight and own.rollout.share and step.auxiliary:
            parts["rollout"] = rollout(step, own.rollout.share, own.rollout.steps)
            total = total + own.rollout.weight * parts["rollout"]
        return Loss(total, parts)

    return loss


def rollout(step: "Step", share: float, steps: int) -> "Tensor":
    """1 - cosine of what follows 1 to ``steps`` of the network's own answers: scheduled sampling (arXiv 1506.03099).

    Answers are smoother than chunks. A network that has only met chunks takes its own for a text that hardly moves, and
    stays where it is; whether a frame is its own shows in how alike it is to the others.
    """
    import torch

    some = math.ceil(share * len(step.context))
    # Drawn on the CPU and read without asking a device.
    made = int(torch.randint(steps, ()).numpy())
    context = step.context[:some]
    for _ in range(made + 1):
        context = torch.cat([context[:, 1:], step.answer(context)[:, None]], dim=1)
    there = step.future_exists[:some, made].to(context.dtype)
    away = 1 - (step.predict(context) * step.future[:some, made]).sum(dim=-1)
    return (away * there).sum() / there.sum().clamp(min=1)


def contrast(step: "Step", sharpness: float) -> "Tensor":
    """InfoNCE against the negatives that are neither in the context nor the target again."""
    import torch
    from torch.nn import functional

    known = torch.cat([step.context, step.target[:, None]], dim=1)
    # Equal but for rounding; a session leaves such candidates out too
    # (docs/specification.md, "Candidate sets and ranks").
    again = (step.negatives @ known.transpose(1, 2) > 1 - 1e-5).any(dim=-1)
    p = step.prediction
    others = torch.einsum("bd,bnd->bn", p, step.negatives).masked_fill(again, -torch.inf)
    logits = sharpness * torch.cat([(p * step.target).sum(dim=-1, keepdim=True), others], dim=1)
    return functional.cross_entropy(logits, logits.new_zeros(len(p), dtype=torch.long))
