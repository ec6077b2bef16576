"""P6 as planned: a learnable [NEXT] token asks the context, and cannot look at itself (docs/sources.md, "P6").

The plan: the token cannot attend to itself, has a negative bias against the last frame, and so leaves no path along
which the last frame could be copied. What was run as P6 is the plain transformer on another target
(docs/sources.md, "P6").
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

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
from lvm_gates.models.position_code import INITIAL_SCALE, MAX_CONTEXT, SinusoidalPosition


class CrossAttentionBlock(nn.Module):
    """One query token reads a memory, post-norm: a decoder layer without self-attention.

    Args:
        width: of query and memory.
        heads: attention heads.
        dropout: on attention weights and both residual branches, training only.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        query: Float[Tensor, "batch 1 width"],
        memory: Float[Tensor, "batch context width"],
        logit_bias: Float[Tensor, "1 context"],
    ) -> tuple[Float[Tensor, "batch 1 width"], Float[Tensor, "batch heads context"]]:
        """The query's new state, and the weights with which it read the memory's slots."""
        # Asking for the weights also keeps to kernels through which the gradient of the bias is reproducible.
        read, weights = self.attention(query, memory, memory, attn_mask=logit_bias, average_attn_weights=False)
        query = self.norm1(query + self.dropout(read))
        inner = self.dropout(functional.relu(self.linear1(query)))
        return self.norm2(query + self.dropout(self.linear2(inner))), weights[:, :, 0]


class NextToken(NextEmbedding):
    """Linear, position code, encoder layers without a mask, then [NEXT] reads the encoded context block by block.

    In every block the logits of the last slot are lowered by softplus(b), b a learnable scalar that starts at 0.
    Softplus keeps the bias negative, as planned: training can lift the handicap but not turn it into a preference.
    At the start it is ln 2, which halves the odds of the last slot. The encoder still mixes the last frame
    into the other slots: the handicap is on reading it directly.

    Args:
        input_dim: width of one frame.
        output_dim: D; default ``input_dim``.
        width: model width, a multiple of ``heads``; feed-forward widths are four times it.
        depth: encoder layers, and as many blocks of cross-attention.
        heads: attention heads. Shapes do not tell them: they travel in ``model_config``.
        max_context: rows of the position table.
        dropout: training only.

    Raises:
        ValueError: ``width`` is not a multiple of ``heads``.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        depth: int = 2,
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
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.next_token = nn.Parameter(INITIAL_SCALE * torch.randn(1, 1, width))
        self.last_slot_bias = nn.Parameter(torch.zeros(()))
        self.blocks = nn.ModuleList(CrossAttentionBlock(width, heads, dropout) for _ in range(depth))
        self.head = gelu_head(width, self.output_dim)

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`.

        Raises:
            ValueError: the context is longer than the position table.
        """
        raw: Tensor = self.head(self._read(x)[0])
        return raw

    def attention(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch depth heads context"]:
        """The weights with which [NEXT] reads the C slots in each block; in eval mode each row sums to 1."""
        return self._read(x)[1]

    def _read(
        self, x: Float[Tensor, "batch context input"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch depth heads context"]]:
        memory = self.encoder(self.pos_encoder(self.input_proj(x)))
        handicap = functional.softplus(self.last_slot_bias).reshape(1, 1)
        logit_bias = functional.pad(-handicap, (x.shape[1] - 1, 0))
        token = self.next_token.expand(len(x), 1, -1)
        rows = []
        for block in self.blocks:
            token, weights = block(token, memory, logit_bias)
            rows.append(weights)
        return token[:, 0], torch.stack(rows, dim=1)

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; ``heads`` is not in the shapes."""
        width, input_dim = shape_of(state, "input_proj.weight", 2)
        return {
            "input_dim": input_dim,
            "output_dim": shape_of(state, "head.3.weight", 2)[0],
            "width": width,
            "depth": count_layers(state, "blocks.", ".norm1.weight"),
            "heads": heads_of(config),
            "max_context": shape_of(state, "pos_encoder.pe", 3)[1],
        }
