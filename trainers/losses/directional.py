"""P6b's directional term and the brakes of its versions v1 to v2.3 (docs/sources.md, "P6b").

``positive`` is cos(p, y), ``negative`` cos(p, second-to-last frame), and the gap g their difference.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

Scalar = Float[Tensor, ""]

# Where |cos| + |cos| is taken as zero; the same as in `functional.cosine_similarity`.
_SMALLEST = 1e-8


def softplus_margin(gap: Float[Tensor, " batch"], margin: float, sharpness: float) -> Scalar:
    """Mean of ln(1 + exp(s (m - g))) / s: a hinge on the gap with its corner rounded off (docs/sources.md, "P6b").

    A lower s rounds more and is the larger of two at the same gap: .127 at s = 8 is .211 at s = 4, though the documents
    expect it to fall (docs/sources.md, "P6b"). v2.1 applies it to `margin_ratio` as well, with m = .05.

    Args:
        gap: (B,) g, in cosines.
        margin: m.
        sharpness: s, 8 in v1 and 4 from v2 on.

    Returns:
        A positive scalar, in cosines.
    """
    return functional.softplus(margin - gap, beta=sharpness).mean()


def margin_ratio(positive: Float[Tensor, " batch"], negative: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The gap relative to its two sides, g / (|cos(p, y)| + |cos(p, c)|) (v2.1; docs/sources.md, "P6b").

    Meant to stop a gap made of two negatives, which it does not: there it is as large as of two positives
    (docs/sources.md, "P6b").

    Args:
        positive: (B,) cos(p, y).
        negative: (B,) cos(p, second-to-last frame).

    Returns:
        (B,) in [-1, 1], 0 where both cosines are 0.
    """
    return (positive - negative) / (positive.abs() + negative.abs()).clamp(min=_SMALLEST)


@torch.no_grad()
def lambda_eff(mse: Scalar, term: Scalar, share: float, low: float = 1e-4, high: float = 0.05) -> Scalar:
    """The weight that gives a term a fixed share of the MSE: share * mse / term, clamped (docs/sources.md, "P6b").

    It grows as the term shrinks, so the push does not end where the margin is met: towards share * sharpness * mse per
    unit gap, and to the upper clamp BECAUSE the goal is reached (docs/sources.md, "P6b" and "Why runs collapsed").

    Args:
        mse: regression loss, not negative.
        term: the term to be weighed, not negative.
        share: wanted share of the MSE.
        low: least weight; also the weight where the quotient is 0 / 0.
        high: greatest weight: .05 in v1, .02 in v2 and v2.1, .03 in v2.2, .018 in v2.3.

    Returns:
        A scalar in [low, high], without gradient.
    """
    return torch.nan_to_num(share * mse / term, nan=low).clamp(low, high)


@torch.no_grad()
def cap_share(weight: Scalar | float, term: Scalar, mse: Scalar, cap: float) -> Scalar:
    """The weight, reduced where weight * term / mse would be above ``cap`` (v2.1; docs/sources.md, "P6b").

    No version asks `lambda_eff` for a larger share than its cap, so only its lower clamp can make this act; in the
    original runs it never did (docs/sources.md, "P6b").

    Args:
        weight: of the term, not negative.
        term: not negative.
        mse: regression loss, not negative.
        cap: greatest share of the MSE: .25 in v2.1, up to .50 in v2.2, up to .40 in v2.3.

    Returns:
        A scalar, without gradient.
    """
    return torch.where(weight * term > cap * mse, cap * mse / term, weight)


def never_skip(positive_mean: Scalar, negative_mean: Scalar) -> Bool[Tensor, ""]:
    """What v1 has in place of the rules below: False."""
    return torch.zeros_like(positive_mean, dtype=torch.bool)


def skip_on_negative(positive_mean: Scalar, negative_mean: Scalar) -> Bool[Tensor, ""]:
    """Whether v2 leaves the term out of this batch: either mean cosine is negative (docs/sources.md, "P6b").

    Args:
        positive_mean: mean cos(p, y).
        negative_mean: mean cos(p, second-to-last frame).
    """
    return (positive_mean < 0) | (negative_mean < 0)


def skip_v21(positive_mean: Scalar, negative_mean: Scalar) -> Bool[Tensor, ""]:
    """Whether v2.1 leaves the term out: mean cos(p, y) < 0, or < .05 while the other is < -.05.

    Source: docs/sources.md, "P6b".

    Args:
        positive_mean: mean cos(p, y).
        negative_mean: mean cos(p, second-to-last frame).
    """
    return (positive_mean < 0) | ((positive_mean < 0.05) & (negative_mean < -0.05))


def positive_floor(positive: Float[Tensor, " batch"], floor: float) -> Scalar:
    """Mean of [floor - cos(p, y)]+^2, in squared cosines (v2.1 to v2.3; docs/sources.md, "P6b").

    Args:
        positive: (B,) cos(p, y).
        floor: .10 in v2.1 and v2.3, .12 in v2.2.

    Returns:
        A scalar, 0 exactly when no cosine is below the floor.
    """
    return functional.relu(floor - positive).square().mean()


def unit_norm_penalty(prediction: Float[Tensor, "batch dim"]) -> Scalar:
    """Mean of (||p|| - 1)^2 (v2.1; docs/sources.md, "P6b").

    The original code takes it of the prediction, which is of unit norm already, so that it is 0 always; it acts on a
    raw output only.

    Args:
        prediction: (B, D).

    Returns:
        A scalar, 0 exactly when every length is 1.
    """
    penalty: Tensor = (torch.linalg.vector_norm(prediction, dim=-1) - 1).square().mean()
    return penalty


def orthogonality(negative: Float[Tensor, " batch"]) -> Scalar:
    """Mean of cos(p, c)^2, in squared cosines: pulls the prediction off a context frame.

    Source: docs/sources.md, "P6b" (v2.2, v2.3).

    Args:
        negative: (B,) cos(p, second-to-last frame).

    Returns:
        A scalar, 0 exactly when every cosine is 0.
    """
    return negative.square().mean()


@torch.no_grad()
def confidence(positive_mean: Scalar, start: float = 0.30, width: float = 0.15) -> Scalar:
    """How far v2.3 trusts the prediction with the term: (mean cos(p, y) - start) / width, in [0, 1].

    Source: docs/sources.md, "P6b".

    Args:
        positive_mean: mean cos(p, y).
        start: up to this mean cosine the term is off.
        width: it is on in full from start + width.

    Returns:
        A scalar in [0, 1], without gradient; a factor.
    """
    return ((positive_mean - start) / width).clamp(0.0, 1.0)
