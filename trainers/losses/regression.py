"""The regression loss of every recipe, and the cosine it is judged by."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def mse_loss(raw: Float[Tensor, "batch dim"], target: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Mean of ||r - y||^2 / D, on the raw output, as in the original code (docs/sources.md, "Training").

    With ||r|| free its optimum is ||r|| = cos(p, y): the length learns how sure the direction is. On a unit
    prediction the same value is 2 (1 - cos(p, y)) / D, which is what validation reports.

    Args:
        raw: (B, D) head output.
        target: (B, D) true next embedding, of unit norm.

    Returns:
        A scalar, 0 only where r = y.
    """
    return (raw - target).square().mean()


def cosine_each(a: Float[Tensor, "batch dim"], b: Float[Tensor, "batch dim"]) -> Float[Tensor, " batch"]:
    """Cosine of each row of one batch with the same row of another; neither need be of unit norm.

    Args:
        a: (B, D).
        b: (B, D).

    Returns:
        (B,) in [-1, 1], 0 where either row is zero.
    """
    return functional.cosine_similarity(a, b, dim=-1)


def cosine(prediction: Float[Tensor, "batch dim"], target: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Mean cosine between predictions and targets; neither need be of unit norm.

    Args:
        prediction: (B, D).
        target: (B, D).

    Returns:
        A scalar in [-1, 1].
    """
    return cosine_each(prediction, target).mean()
