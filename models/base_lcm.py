"""Base-LCM of Large Concept Models (Barrault et al. 2024, arXiv 2412.08821, section 2.3.1).

PreNet normalises each coordinate robustly and maps it to the model's width, a decoder-only transformer reads the
concepts so far, PostNet maps its states back and undoes the normalisation. Coordinates are centred on their median and
divided by .7413 times their interquartile range, the standard deviation of a Gaussian of that range (arXiv 2307.05445),
as the authors' code does. Theirs has RMSNorm, SwiGLU and rotary positions; here the layers are torch's own.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import (
    NO_CONFIG,
    Config,
    NextEmbedding,
    State,
    count_layers,
    heads_of,
    prediction_dim,
    shape_of,
)
from lvm_gates.models.causal_stack import CausalStack
from lvm_gates.models.position_code import MAX_CONTEXT


class BaseLCM(NextEmbedding):
    """PreNet, causal stack, PostNet; every slot predicts the frame after it.

    ``median`` and ``spread`` are buffers, set by who trains it: until then frames are read as they come.

    Args:
        input_dim: width of one frame; a position channel (``input_dim == output_dim + 1``) is read as it comes.
        output_dim: D; default ``input_dim``.
        width: model width, a multiple of ``heads``.
        depth: layers.
        heads: attention heads. Shapes do not tell them: they travel in ``model_config``.
        max_context: rows of the position table.
        dropout: inside the layers, training only.

    Raises:
        ValueError: sizes that do not go together.
    """

    median: Tensor
    spread: Tensor

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
        self.input_dim = input_dim
        self.output_dim = prediction_dim(input_dim, output_dim)
        self.register_buffer("median", torch.zeros(self.output_dim))
        self.register_buffer("spread", torch.ones(self.output_dim))
        self.prenet = nn.Linear(input_dim, width)
        self.stack = CausalStack(width, depth, heads, max_context, dropout)
        self.postnet = nn.Linear(width, self.output_dim)

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`.

        Raises:
            ValueError: the context is longer than the position table.
        """
        return self._denormalised(self.postnet(self._states(x)[:, -1]))

    def answers(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch context dim"]:
        """What each slot says of the frame after it, the last slot first, (B, C, D)."""
        return self._denormalised(self.postnet(self._states(x).flip(1)))

    def _states(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch context width"]:
        frames, channel = x[..., : self.output_dim], x[..., self.output_dim :]
        normalised = torch.cat([(frames - self.median) / self.spread, channel], dim=-1)
        states: Tensor = self.stack(self.prenet(normalised))
        return states

    def _denormalised(self, answer: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return answer * self.spread + self.median

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; ``heads`` is not in the shapes."""
        width, input_dim = shape_of(state, "prenet.weight", 2)
        return {
            "input_dim": input_dim,
            "output_dim": shape_of(state, "postnet.weight", 2)[0],
            "width": width,
            "depth": count_layers(state, "stack.encoder.layers.", ".linear1.weight"),
            "heads": heads_of(config),
            "max_context": shape_of(state, "stack.positions.pe", 3)[1],
        }
