"""What the documents do to the last frame before the network reads it; the other frames are never touched."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lvm_gates.trainers.recipe_settings import Corruption, Drop

Contexts = Float[Tensor, "batch context dim"]
Augment = Callable[[Contexts, int], Contexts]


def drop_last(context: Contexts, probability: float) -> Contexts:
    """In a share of the windows put a random unit vector in the last frame's place (V3, P3, P4: "context drop").

    Args:
        context: (B, C, D); not changed.
        probability: of each window.
    """
    last = context[:, -1]
    noise = functional.normalize(torch.randn_like(last), dim=-1)
    return _replace_last(context, noise, probability)


def corrupt_last(context: Contexts, probability: float, *, sigma: float = 0.03, swap: float = 0.05) -> Contexts:
    """In a share of the windows blur the last frame, and in a few of those repeat the frame before it (P5.1).

    Args:
        context: (B, C, D); not changed.
        probability: of each window.
        sigma: of the noise on EACH coordinate: at 768 dimensions the blurred frame has cosine .77 to the true one.
        swap: share of the corrupted windows whose last frame becomes the one before.
    """
    last = context[:, -1]
    blurred = functional.normalize(last + sigma * torch.randn_like(last), dim=-1)
    if context.shape[1] > 1:
        swapped = torch.rand(len(context), 1, device=context.device) < swap
        blurred = torch.where(swapped, context[:, -2], blurred)
    return _replace_last(context, blurred, probability)


def dropping(drop: Drop) -> Augment | None:
    """`drop_last` by its settings, None where it never drops."""
    return (lambda context, epoch: drop_last(context, drop.probability.at(epoch))) if drop.probability.ever else None


def corrupting(corruption: Corruption) -> Augment | None:
    """`corrupt_last` by its settings, None where it never does."""
    if not corruption.probability.ever:
        return None
    sigma, swap = corruption.sigma, corruption.swap
    return lambda context, epoch: corrupt_last(context, corruption.probability.at(epoch), sigma=sigma, swap=swap)


def _replace_last(context: Contexts, other: Float[Tensor, "batch dim"], probability: float) -> Contexts:
    hit = torch.rand(len(context), 1, device=context.device) < probability
    last = torch.where(hit, other, context[:, -1])
    return torch.cat([context[:, :-1], last[:, None]], dim=1)
