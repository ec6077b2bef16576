"""The position channel of V3, P5 and P5.1: one more input a frame, saying where in the context it stands."""

import torch
from jaxtyping import Float
from torch import Tensor

# V3 and P5 trained with it; P5.1 ramps up to .10 (docs/sources.md, "P5.1").
DEFAULT_SCALE = 0.03


def append_position(x: Float[Tensor, "batch context dim"], scale: float) -> Float[Tensor, "batch context dim+1"]:
    """Append a channel carrying ``scale * i / (C - 1)`` in slot i of C; a context of one frame carries 0.

    Args:
        x: (B, C, D) contexts.
        scale: value of the channel in the last slot.

    Returns:
        (B, C, D + 1).
    """
    batch, context, _ = x.shape
    channel = torch.linspace(0.0, scale, context, dtype=x.dtype, device=x.device)
    return torch.cat([x, channel.expand(batch, context).unsqueeze(-1)], dim=-1)


def with_position(x: Float[Tensor, "batch context dim"], scale: float | None) -> Float[Tensor, "batch context input"]:
    """What a network reads of contexts: with a position channel, or as they are where ``scale`` is None."""
    return x if scale is None else append_position(x, scale)
