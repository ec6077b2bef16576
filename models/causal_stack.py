"""A decoder-only stack: pre-norm transformer layers in which a slot sees itself and what came before."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import require_heads
from lvm_gates.models.position_code import SinusoidalPosition


class CausalStack(nn.Module):
    """Position code, pre-norm GELU layers with a causal mask, LayerNorm; keeps the shape (B, C, width).

    Args:
        width: a multiple of ``heads``; the feed-forward width is four times it.
        depth: layers.
        heads: attention heads.
        max_context: rows of the position table.
        dropout: inside the layers, training only.

    Raises:
        ValueError: ``width`` is not a multiple of ``heads``.
    """

    def __init__(self, width: int, depth: int, heads: int, max_context: int, dropout: float) -> None:
        super().__init__()
        require_heads(width, heads)
        self.positions = SinusoidalPosition(width, max_context)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)

    def forward(self, embedded: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        """States of all slots.

        Raises:
            ValueError: the context is longer than the position table.
        """
        context = embedded.shape[1]
        mask = torch.ones(context, context, dtype=torch.bool, device=embedded.device).triu(1)
        # Said, not left to be found out: torch would read the mask back from the device in every step.
        states: Tensor = self.encoder(self.positions(embedded), mask, is_causal=True)
        return states
