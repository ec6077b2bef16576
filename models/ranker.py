"""P7: a query beside the context's mean, trained to rank (docs/sources.md, "P7").

p is the direction of lambda * q + (1 - lambda) * a, with q the network's unit answer and the anchor a the direction of
the context's mean. 13,660,928 parameters at 768 in and out, width 512, 4 layers, without positions.
"""

import math
from abc import abstractmethod
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
    flag_of,
    heads_of,
    prediction_dim,
    require_heads,
    shape_of,
)
from lvm_gates.models.position_code import MAX_CONTEXT, LearntPosition

DEFAULT_SHARE = 0.8
# Where a learnable share may go, by the documents.
LOWEST_SHARE, HIGHEST_SHARE = 0.6, 0.9


def context_anchor(context: Float[Tensor, "batch context dim"]) -> Float[Tensor, "batch dim"]:
    """The direction of the context's mean, (B, D); zero where the frames cancel."""
    return functional.normalize(context.mean(dim=1), dim=-1)


class AnchoredRanker(NextEmbedding):
    """Linear, positions if asked for, an encoder, the last slot, a two-layer head, the anchor.

    Subclasses are one encoder each.

    Args:
        input_dim: width of one frame. A position channel (``input_dim == output_dim + 1``) reaches the encoder but is
            cut from the anchor.
        output_dim: D; default ``input_dim``.
        width: model width.
        positions: add a learnable vector a slot. The original ones were frozen at zero: without a mask that leaves
            the encoder blind to the order of all frames but the last.
        max_context: rows of the position table.
        anchor_share: lambda, which is what the query has in p; the anchor has the rest. At the start, if learnable.
        learnable: learn lambda between .6 and .9, as documented; in the original code it is a constant.

    Raises:
        ValueError: an output wider than the input, or a share out of range.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int | None,
        width: int,
        positions: bool,
        max_context: int,
        anchor_share: float,
        learnable: bool,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = prediction_dim(input_dim, output_dim)
        self.input_proj = nn.Linear(input_dim, width)
        self.positions = LearntPosition(width, max_context) if positions else None
        self.head = nn.Sequential(
            nn.Linear(width, width),
            nn.ReLU(),
            nn.LayerNorm(width),
            nn.Linear(width, self.output_dim),
        )
        # A constant one is in the weights too, so that a checkpoint predicts as it was trained.
        if learnable:
            self.share_logit = nn.Parameter(torch.tensor(_share_logit(anchor_share)))
        elif 0 <= anchor_share <= 1:
            self.register_buffer("constant_share", torch.tensor(float(anchor_share)))
        else:
            raise ValueError(f"an anchor share of {anchor_share} lies outside 0 to 1")

    @property
    def anchor_share(self) -> Float[Tensor, ""]:
        """Lambda: the share of the query in the prediction."""
        if "share_logit" in self._parameters:
            return LOWEST_SHARE + (HIGHEST_SHARE - LOWEST_SHARE) * torch.sigmoid(self.share_logit)
        return self.get_buffer("constant_share")

    @abstractmethod
    def encode(self, embedded: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        """The states of all slots, (B, C, width)."""

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`.

        Raises:
            ValueError: the context is longer than the position table.
        """
        return self.compose(x, self.query(x))

    def query(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """The unit answer before anchoring, (B, D)."""
        embedded = self.input_proj(x)
        if self.positions is not None:
            embedded = self.positions(embedded)
        return functional.normalize(self.head(self.encode(embedded)[:, -1]), dim=-1)

    def compose(
        self, x: Float[Tensor, "batch context input"], query: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch dim"]:
        """The weighted sum of a unit query and the anchor, (B, D)."""
        share = self.anchor_share
        return share * query + (1 - share) * context_anchor(x[..., : self.output_dim])

    @classmethod
    def _shared_config(cls, state: State, config: Config) -> dict[str, Any]:
        """What both rankers have; a choice not recorded is the default, so that a lost weight is no other choice."""
        width, input_dim = shape_of(state, "input_proj.weight", 2)
        shared = {
            "input_dim": input_dim,
            "output_dim": shape_of(state, "head.3.weight", 2)[0],
            "width": width,
            "positions": flag_of(config, "positions", True),
            "learnable": flag_of(config, "learnable", False),
        }
        if shared["positions"]:
            shared["max_context"] = shape_of(state, "positions.table", 3)[1]
        return shared


class Ranker(AnchoredRanker):
    """`AnchoredRanker` over transformer encoder layers without a mask.

    Args:
        input_dim: as in `AnchoredRanker`, like all that is not explained here.
        output_dim: D; default ``input_dim``.
        width: model width, a multiple of ``heads``; the feed-forward width is four times it.
        depth: encoder layers.
        heads: attention heads. Shapes do not tell them: they travel in ``model_config``.
        positions: add a learnable vector a slot; False as in the original code.
        max_context: rows of the position table.
        anchor_share: lambda.
        learnable: learn lambda.
        dropout: inside the encoder layers, training only.

    Raises:
        ValueError: sizes or a share that do not go together.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        depth: int = 4,
        heads: int = 8,
        positions: bool = True,
        max_context: int = MAX_CONTEXT,
        anchor_share: float = DEFAULT_SHARE,
        learnable: bool = False,
        dropout: float = 0.1,
    ) -> None:
        require_heads(width, heads)
        super().__init__(input_dim, output_dim, width, positions, max_context, anchor_share, learnable)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def encode(self, embedded: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        """See `AnchoredRanker.encode`."""
        states: Tensor = self.encoder(embedded)
        return states

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; ``heads`` is not in the shapes, and the choices are not taken from there."""
        depth = count_layers(state, "encoder.layers.", ".linear1.weight")
        return {**cls._shared_config(state, config), "depth": depth, "heads": heads_of(config)}


class LSTMRanker(AnchoredRanker):
    """`AnchoredRanker` over an LSTM, the original option.

    Args:
        input_dim: as in `AnchoredRanker`, like all that is not explained here.
        output_dim: D; default ``input_dim``.
        width: hidden width.
        depth: recurrent layers.
        positions: add a learnable vector a slot.
        max_context: rows of the position table.
        anchor_share: lambda.
        learnable: learn lambda.
        dropout: between recurrent layers, training only.

    Raises:
        ValueError: sizes or a share that do not go together.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        depth: int = 2,
        positions: bool = True,
        max_context: int = MAX_CONTEXT,
        anchor_share: float = DEFAULT_SHARE,
        learnable: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(input_dim, output_dim, width, positions, max_context, anchor_share, learnable)
        # nn.LSTM warns when told to drop between the layers of a single one.
        self.encoder = nn.LSTM(width, width, depth, batch_first=True, dropout=dropout if depth > 1 else 0.0)

    def encode(self, embedded: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        """See `AnchoredRanker.encode`."""
        states: Tensor = self.encoder(embedded)[0]
        return states

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; the choices are not taken from the shapes."""
        return {**cls._shared_config(state, config), "depth": count_layers(state, "encoder.weight_ih_l", "")}


def _share_logit(share: float) -> float:
    """Where on the sigmoid a learnable share starts."""
    if not LOWEST_SHARE < share < HIGHEST_SHARE:
        raise ValueError(
            f"a learnable anchor share of {share} does not start between {LOWEST_SHARE} and {HIGHEST_SHARE}"
        )
    return math.log((share - LOWEST_SHARE) / (HIGHEST_SHARE - share))
