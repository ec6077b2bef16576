"""Losses and the cosine they are judged by, as means over the batch.

In all of them r is the raw head output, p = r / ||r|| the prediction, y the unit target, D their width.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def mse_loss(raw: Float[Tensor, "batch dim"], target: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Mean of ||r - y||^2 / D, on the raw output as published (seed facts 1).

    With ||r|| free its optimum is ||r|| = cos(p, y): the length learns how sure the direction is. On a unit
    prediction the same figure is 2 (1 - cos(p, y)) / D, which is what validation reports.

    Args:
        raw: (B, D) head output.
        target: (B, D) true next embedding.

    Returns:
        A scalar, 0 only where r = y.
    """
    return (raw - target).square().mean()


def cosine(prediction: Float[Tensor, "batch dim"], target: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Mean cosine between predictions and targets; neither need be of unit norm.

    Args:
        prediction: (B, D).
        target: (B, D).

    Returns:
        A scalar in [-1, 1].
    """
    return functional.cosine_similarity(prediction, target, dim=-1).mean()
