"""The original GRU stack: residual, post-norm GRU blocks between two linear maps.

Source: docs/sources.md, "Checkpoint format".

7,095,552 parameters at 768 in and out, width 512, 4 blocks.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import NO_CONFIG, Config, NextEmbedding, State, count_layers, shape_of


class GRUBlock(nn.Module):
    """LayerNorm(x + GRU(x)); keeps the shape (B, C, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        normed: Tensor = self.norm(x + self.gru(x)[0])
        return normed


class GRU(NextEmbedding):
    """Linear, residual GRU blocks, linear read-out of the last step.

    Args:
        input_dim: width of one frame.
        output_dim: D; default ``input_dim``.
        width: model width.
        depth: blocks.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        depth: int = 4,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = input_dim if output_dim is None else output_dim
        self.input_proj = nn.Linear(input_dim, width)
        self.blocks = nn.ModuleList(GRUBlock(width) for _ in range(depth))
        self.output_proj = nn.Linear(width, self.output_dim)

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`."""
        states = self.input_proj(x)
        for block in self.blocks:
            states = block(states)
        raw: Tensor = self.output_proj(states[:, -1])
        return raw

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`."""
        width, input_dim = shape_of(state, "input_proj.weight", 2)
        return {
            "input_dim": input_dim,
            "output_dim": shape_of(state, "output_proj.weight", 2)[0],
            "width": width,
            "depth": count_layers(state, "blocks.", ".norm.weight"),
        }
