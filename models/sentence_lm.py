"""The sentence-level language model of Ippolito et al. (ACL 2020, arXiv 2005.05255): a residual MLP.

The embeddings of the context, one after another in one long vector, go through an MLP with skip connections between its
layers; its output is the embedding against which candidates for the next sentence are scored.
"""

import reprlib
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import NO_CONFIG, Config, ConfigError, NextEmbedding, State, count_layers, shape_of


class ResidualBlock(nn.Module):
    """h + dropout(ReLU(linear(LayerNorm(h)))); keeps the shape (B, width)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Float[Tensor, "batch width"]) -> Float[Tensor, "batch width"]:
        inner: Tensor = self.dropout(torch.relu(self.linear(self.norm(h))))
        return h + inner


class SentenceLM(NextEmbedding):
    """Linear map of all C frames at once, residual blocks, linear read-out.

    Args:
        input_dim: width of one frame.
        output_dim: D; default ``input_dim``.
        context: C, frames that are read: the last ones of a longer context, and of a shorter one the oldest again.
        width: hidden width.
        depth: residual blocks.
        dropout: in the blocks, training only.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        context: int = 5,
        width: int = 512,
        depth: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = input_dim if output_dim is None else output_dim
        self.context = context
        self.input_proj = nn.Linear(context * input_dim, width)
        self.blocks = nn.ModuleList(ResidualBlock(width, dropout) for _ in range(depth))
        self.output_proj = nn.Linear(width, self.output_dim)

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`."""
        read = x[:, -self.context :]
        missing = self.context - read.shape[1]
        if missing:
            read = torch.cat([read[:, :1].expand(-1, missing, -1), read], dim=1)
        h = self.input_proj(read.flatten(1))
        for block in self.blocks:
            h = block(h)
        raw: Tensor = self.output_proj(h)
        return raw

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; where ``input_dim`` is not recorded a frame is as wide as the output, or
        one wider if only that divides the weights.
        """
        width, inputs = shape_of(state, "input_proj.weight", 2)
        dim = shape_of(state, "output_proj.weight", 2)[0]
        input_dim = config.get("input_dim", dim if inputs % max(dim, 1) == 0 else dim + 1)
        if type(input_dim) is not int or input_dim < 1 or inputs % input_dim:
            raise ConfigError(
                f"model_config has input_dim {reprlib.repr(input_dim)} for weights that read {inputs} numbers; save it "
                "with the width of one frame"
            )
        return {
            "input_dim": input_dim,
            "output_dim": dim,
            "context": inputs // input_dim,
            "width": width,
            "depth": count_layers(state, "blocks.", ".linear.weight"),
        }
