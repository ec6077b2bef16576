"""P2's penalty on the step away from the last frame (docs/sources.md, "P2")."""

from jaxtyping import Float
from torch import Tensor


def residual_regulariser(delta: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Mean of delta^2 over samples and coordinates; planned for P2 at weight 1e-4, absent from its code.

    Source: docs/sources.md, "P2".

    On the original code's normalised delta it is the constant 1 / D: it can only act on the raw one.

    Args:
        delta: (B, D) what the network adds to the last frame.

    Returns:
        A scalar, 0 exactly when delta is.
    """
    return delta.square().mean()
