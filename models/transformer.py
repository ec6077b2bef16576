"""The published transformer: a causal decoder stack that attends to its own embedded input (seed facts 1, 9).

17,867,520 parameters at 768 in and out, width 512, 4 layers. Module names fix the state-dict keys, so that
published weights load strictly.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.base import NextEmbedding, State, count_layers, shape_of

# Rows of the sinusoidal table in every published file; the longest context the network can read.
MAX_CONTEXT = 100


class SinusoidalPosition(nn.Module):
    """Adds the sine-cosine code of Vaswani et al. (arXiv 1706.03762, section 3.5)."""

    pe: Tensor

    def __init__(self, width: int, max_context: int) -> None:
        super().__init__()
        slot = torch.arange(max_context, dtype=torch.float32)[:, None]
        rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
        code = torch.zeros(max_context, width)
        code[:, 0::2] = torch.sin(slot * rate)
        code[:, 1::2] = torch.cos(slot * rate)[:, : width // 2]
        self.register_buffer("pe", code[None])

    def forward(self, x: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        return x + self.pe[:, : x.shape[1]]


class Transformer(NextEmbedding):
    """Linear, position code, post-norm ReLU decoder layers, state of the last slot, two-layer head.

    Self-attention and cross-attention are both causal, and the cross-attention memory is the embedded
    input itself.

    Args:
        input_dim: width of one frame.
        output_dim: D; default ``input_dim``.
        width: model width, a multiple of ``heads``; the feed-forward width is four times it.
        depth: decoder layers.
        heads: attention heads. Shapes do not tell it: it travels in ``model_config``.
        max_context: rows of the position table.
        dropout: inside the decoder layers, training only.

    Raises:
        ValueError: ``width`` is not a multiple of ``heads``.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 8,
        max_context: int = MAX_CONTEXT,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"a width of {width} does not divide into {heads} heads")
        self.input_dim = input_dim
        self.output_dim = input_dim if output_dim is None else output_dim
        self.input_proj = nn.Linear(input_dim, width)
        self.pos_encoder = SinusoidalPosition(width, max_context)
        layer = nn.TransformerDecoderLayer(width, heads, 4 * width, dropout, batch_first=True)
        self.transformer_decoder = nn.TransformerDecoder(layer, depth)
        self.head = nn.Sequential(
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, self.output_dim),
        )

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`.

        Raises:
            ValueError: the context is longer than the position table.
        """
        context, table = x.shape[1], self.pos_encoder.pe.shape[1]
        if context > table:
            raise ValueError(f"a context of {context} is longer than the {table} slots the network knows")
        embedded = self.pos_encoder(self.input_proj(x))
        # True marks what a slot may not see: everything after it.
        future = torch.ones(context, context, dtype=torch.bool, device=x.device).triu(1)
        states = self.transformer_decoder(embedded, embedded, tgt_mask=future, memory_mask=future)
        raw: Tensor = self.head(states[:, -1])
        return raw

    @classmethod
    def config_from(cls, state: State) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; ``heads`` is not in the shapes."""
        width, input_dim = shape_of(state, "input_proj.weight", 2)
        return {
            "input_dim": input_dim,
            "output_dim": shape_of(state, "head.3.weight", 2)[0],
            "width": width,
            "depth": count_layers(state, "transformer_decoder.layers.", ".linear1.weight"),
            "max_context": shape_of(state, "pos_encoder.pe", 3)[1],
        }
