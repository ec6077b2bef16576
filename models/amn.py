"""The original attention mixture: the context mean plus a learned correction (docs/sources.md, "Checkpoint format").

1,510,912 parameters at 768 in and out, width 512.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import NO_CONFIG, Config, NextEmbedding, State, prediction_dim, shape_of


class AMN(NextEmbedding):
    """base + residual_net([base, mixture]), where base is the context mean and mixture a weighted one.

    The mixture's weights are the softmax of query(base) . key(frame) / sqrt(key width): without a position
    channel the whole network is blind to the order of its frames.

    Args:
        input_dim: width of one frame. A position channel (``input_dim == output_dim + 1``) reaches the
            weights but is cut from base and mixture, which must be as wide as the output.
        output_dim: D; default ``input_dim``.
        width: hidden width of the residual network; the second hidden layer has half of it.
        key_width: width of query and keys; default ``width // 2``.

    Raises:
        ValueError: an output wider than the input.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        key_width: int | None = None,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = prediction_dim(input_dim, output_dim)
        key_width = width // 2 if key_width is None else key_width
        self.context_encoder = nn.Linear(input_dim, key_width)
        self.query_encoder = nn.Linear(input_dim, key_width)
        self.residual_net = nn.Sequential(
            nn.Linear(2 * self.output_dim, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, width // 2),
            nn.GELU(),
            nn.LayerNorm(width // 2),
            nn.Linear(width // 2, self.output_dim),
        )

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`."""
        keys = self.context_encoder(x)
        query = self.query_encoder(x.mean(dim=1))
        scores = torch.einsum("bcw,bw->bc", keys, query) / math.sqrt(keys.shape[-1])
        frames = x[..., : self.output_dim]
        base = frames.mean(dim=1)
        mixture = torch.einsum("bc,bcd->bd", scores.softmax(dim=-1), frames)
        residual: Tensor = self.residual_net(torch.cat([base, mixture], dim=-1))
        return base + residual

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`."""
        key_width, input_dim = shape_of(state, "context_encoder.weight", 2)
        return {
            "input_dim": input_dim,
            "output_dim": shape_of(state, "residual_net.6.weight", 2)[0],
            "width": shape_of(state, "residual_net.0.weight", 2)[0],
            "key_width": key_width,
        }
