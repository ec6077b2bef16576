"""The original transformer: a causal decoder stack that attends to its own embedded input.

Source: docs/sources.md, "Network" and "Checkpoint format".

17,867,520 parameters at 768 in and out, width 512, 4 layers. Module names fix the state-dict keys, so that
original weights load strictly.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lvm_gates.models.base import (
    NO_CONFIG,
    Config,
    NextEmbedding,
    State,
    count_layers,
    gelu_head,
    heads_of,
    require_heads,
    shape_of,
)
from lvm_gates.models.position_code import MAX_CONTEXT, SinusoidalPosition


class Transformer(NextEmbedding):
    """Linear, position code, post-norm ReLU decoder layers, state of the last slot, two-layer head.

    Self-attention and cross-attention are both causal, and the cross-attention memory is the embedded
    input itself.

    Args:
        input_dim: width of one frame.
        output_dim: D; default ``input_dim``.
        width: model width, a multiple of ``heads``; the feed-forward width is four times it.
        depth: decoder layers.
        heads: attention heads. Shapes do not tell them: they travel in ``model_config``.
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
        require_heads(width, heads)
        self.input_dim = input_dim
        self.output_dim = input_dim if output_dim is None else output_dim
        self.input_proj = nn.Linear(input_dim, width)
        self.pos_encoder = SinusoidalPosition(width, max_context)
        layer = nn.TransformerDecoderLayer(width, heads, 4 * width, dropout, batch_first=True)
        self.transformer_decoder = nn.TransformerDecoder(layer, depth)
        self.head = gelu_head(width, self.output_dim)

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`.

        Raises:
            ValueError: the context is longer than the position table.
        """
        embedded = self.pos_encoder(self.input_proj(x))
        mask = self.attention_mask(x.shape[1], x.device)
        # Said, not left to be found out: torch would read the mask back from the device in every step.
        causal = mask.dtype == torch.bool
        states = self.transformer_decoder(embedded, embedded, tgt_mask=mask, memory_mask=mask, tgt_is_causal=causal)
        raw: Tensor = self.head(states[:, -1])
        return raw

    def attention_mask(
        self, context: int, device: torch.device
    ) -> Bool[Tensor, "context context"] | Float[Tensor, "context context"]:
        """What self- and cross-attention hide from a slot (row), (C, C): True marks everything after it.

        A mask of floats is added to the logits instead.
        """
        return torch.ones(context, context, dtype=torch.bool, device=device).triu(1)

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; ``heads`` is not in the shapes."""
        width, input_dim = shape_of(state, "input_proj.weight", 2)
        return {
            "input_dim": input_dim,
            "output_dim": shape_of(state, "head.3.weight", 2)[0],
            "width": width,
            "depth": count_layers(state, "transformer_decoder.layers.", ".linear1.weight"),
            "heads": heads_of(config),
            "max_context": shape_of(state, "pos_encoder.pe", 3)[1],
        }
