"""What holds P7's prediction near its context and its target, and what weighs its samples (docs/sources.md, "P7")."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lvm_gates.trainers.losses.regression import cosine_each


def anchor_floor(
    query: Float[Tensor, "batch dim"], anchor: Float[Tensor, "batch dim"], floor: float
) -> Float[Tensor, ""]:
    """Mean of [floor - cos(q, anchor)]+, in cosines: planned for P7, never run (docs/sources.md, "P7").

    Of the query before it is mixed with the anchor, as planned: the mixture of an orthogonal query has cosine .243 at a
    share of .8 and .555 at .6 (docs/sources.md, "P7"), so that a floor under it would ask for next to nothing.

    Args:
        query: (B, D) the network's own answer, of any length.
        anchor: (B, D) `models.ranker.context_anchor`, the direction of the context's mean.
        floor: least cosine that costs nothing.

    Returns:
        A scalar, 0 exactly when no cosine is below the floor.
    """
    return functional.relu(floor - cosine_each(query, anchor)).mean()


def teacher_pull(
    prediction: Float[Tensor, "batch dim"], target: Float[Tensor, "batch dim"], floor: float = 0.20
) -> Float[Tensor, ""]:
    """Mean of 1 - cos(p, y) over the samples with cos(p, y) < floor (P7's warm-up term; docs/sources.md, "P7").

    Args:
        prediction: (B, D).
        target: (B, D).
        floor: cosine from which a sample is left alone.

    Returns:
        A scalar, in cosines; 0 exactly when no sample is below the floor.
    """
    cos = cosine_each(prediction, target)
    astray = cos < floor
    # Not a selection: the mean over no samples is NaN.
    return ((1 - cos) * astray).sum() / astray.sum().clamp(min=1)


def directional_gate(
    last: Float[Tensor, "batch dim"],
    target: Float[Tensor, "batch dim"],
    reference: Float[Tensor, "batch dim"],
    threshold: float = 0.03,
    low: float = 0.25,
) -> Float[Tensor, " batch"]:
    """Weight of each sample: 1 where cos(last, y) - cos(last, reference) >= threshold, else low.

    Source: docs/sources.md, "P7".

    Meant to prefer windows that move forward, with the frame before the last as reference. In the original code the
    reference IS the last frame, so every weight was ``low``.

    Args:
        last: (B, D) last context frame.
        target: (B, D).
        reference: (B, D) what the last frame is compared with.
        threshold: in cosines.
        low: weight of the samples below it.

    Returns:
        (B,) each 1 or low, without gradient; a factor.
    """
    forward = cosine_each(last, target) - cosine_each(last, reference) >= threshold
    return last.new_ones(len(last)).masked_fill(~forward, low)
