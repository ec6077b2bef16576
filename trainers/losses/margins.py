"""Hinges that ask for the target to be nearer than some other chunk, and what weighs them (V3, P2-P5.1, P7).

All but `future_margin` push the prediction away from an *input*. None tests order, and the best regressor of a slowly
varying chain pays them: it lies nearer to the last frame than to the target
(docs/sources.md, "Offsets counted from the target" and "Why runs collapsed").
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from lvm_gates.trainers.losses.regression import cosine_each

# P4: the coherence at which the adaptive weight has risen half way, and how fast it rises (docs/sources.md, "Loss
# terms").
ADAPTIVE_CENTRE = 0.60
ADAPTIVE_WIDTH = 0.05


def directional_margin(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    previous: Float[Tensor, "batch dim"],
    margin: float,
    weight: Float[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of w [m - cos(p, y) + cos(p, previous)]+, in cosines.

    Source: docs/sources.md, "Loss terms" (L_dir, and P7's margin).

    V3, P2, P3 and P4 were run with ``previous`` the second-to-last frame, two before the target, though their
    comments say it is the last; P7 with the last frame.

    Args:
        prediction: (B, D).
        target: (B, D).
        previous: (B, D) the chunk to stay away from.
        margin: m, how much nearer the target must be.
        weight: (B,) factor w of each sample, such as `adaptive_weight`; 1 by default. The mean is over B, not over w.

    Returns:
        A scalar, 0 exactly when every sample with a weight keeps the margin.
    """
    hinge = functional.relu(margin - cosine_each(prediction, target) + cosine_each(prediction, previous))
    return (hinge if weight is None else weight * hinge).mean()


def anti_copy(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    context: Float[Tensor, "batch context dim"],
    margin: float,
) -> Float[Tensor, ""]:
    """Mean over samples and frames of [m - cos(p, y) + cos(p, c_i)]+, in cosines.

    Source: docs/sources.md, "Loss terms" (L_ac of V3).

    Args:
        prediction: (B, D).
        target: (B, D).
        context: (B, C, D) every frame of which is to be less near than the target.
        margin: m.

    Returns:
        A scalar, 0 exactly when every sample keeps the margin to every frame.
    """
    return _hinges(prediction, target, context, margin).mean()


def future_margin(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    future: Float[Tensor, "batch ahead dim"],
    exists: Bool[Tensor, "batch ahead"],
    margin: float,
) -> Float[Tensor, ""]:
    """Sum over j of the mean of [m - cos(p, y) + cos(p, future_j)]+, in cosines (L_fut: docs/sources.md, "Loss terms").

    Really computed: V3, P2, P3 and P4 name this term, but its original body is empty and the chunks after the target
    were never supplied (docs/sources.md, "Loss terms").

    Args:
        prediction: (B, D).
        target: (B, D).
        future: (B, J, D) chunks after the target; anything, even NaN, where there is none.
        exists: (B, J) whether the article goes on that far. Each mean is over the samples that do; an offset that
            no sample has adds 0.
        margin: m.

    Returns:
        A scalar, 0 exactly when every sample keeps the margin to every chunk that exists.
    """
    # Before the cosine, not after it: a NaN that is masked afterwards still comes back through the gradient.
    there = future.masked_fill(~exists[..., None], 0.0)
    hinges = _hinges(prediction, target, there, margin) * exists
    return (hinges.sum(dim=0) / exists.sum(dim=0).clamp(min=1)).sum()


@torch.no_grad()
def adaptive_weight(
    last: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    centre: float = ADAPTIVE_CENTRE,
    width: float = ADAPTIVE_WIDTH,
) -> Float[Tensor, " batch"]:
    """Each sample's 1 + sigmoid((cos(last, y) - .60) / .05): copying is punished most where it is easiest (P4).

    As the documents describe it; see `adaptive_weight_published` for what ran (docs/sources.md, "Loss terms").

    Args:
        last: (B, D) last context frame.
        target: (B, D).
        centre: cosine at which it has risen half way.
        width: in cosines, in which it rises.

    Returns:
        (B,) in (1, 2), without gradient; a factor.
    """
    return 1 + torch.sigmoid((cosine_each(last, target) - centre) / width)


def adaptive_weight_published(
    last: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    centre: float = ADAPTIVE_CENTRE,
    width: float = ADAPTIVE_WIDTH,
) -> Float[Tensor, ""]:
    """Mean of `adaptive_weight` over the batch: the original code weighs all samples alike (docs/sources.md, "P4").

    Args:
        last: (B, D) last context frame.
        target: (B, D).
        centre: as in `adaptive_weight`.
        width: as in `adaptive_weight`.

    Returns:
        A scalar in (1, 2), without gradient; a factor.
    """
    return adaptive_weight(last, target, centre, width).mean()


def micro_ranking(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    last: Float[Tensor, "batch dim"],
    sharpness: float = 5.0,
    margin: float = 0.02,
) -> Float[Tensor, ""]:
    """Mean of ln(1 + exp(s (cos(p, last) - cos(p, y) + m))) (docs/sources.md, "P5.1").

    Not divided by s, unlike `trainers.losses.directional.softplus_margin`: per unit cosine it pushes up to s.

    Args:
        prediction: (B, D).
        target: (B, D).
        last: (B, D) last context frame.
        sharpness: s.
        margin: m.

    Returns:
        A positive scalar.
    """
    gap = cosine_each(prediction, last) - cosine_each(prediction, target)
    return functional.softplus(sharpness * (gap + margin)).mean()


def _hinges(
    prediction: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    others: Float[Tensor, "batch others dim"],
    margin: float,
) -> Float[Tensor, "batch others"]:
    away = functional.cosine_similarity(prediction[:, None], others, dim=-1)
    return functional.relu(margin - cosine_each(prediction, target)[:, None] + away)
