"""The original LSTM: stacked recurrent layers, the last step read out linearly (docs/sources.md, "Checkpoint format").

5,120,768 parameters at 768 in and out, width 512, 2 layers.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import NO_CONFIG, Config, NextEmbedding, State, count_layers, shape_of


class LSTM(NextEmbedding):
    """Two-layer LSTM over the raw frames, then a linear read-out of the last step.

    Args:
        input_dim: width of one frame.
        output_dim: D; default ``input_dim``.
        width: hidden width.
        depth: recurrent layers.
        dropout: between recurrent layers, training only.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        depth: int = 2,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = input_dim if output_dim is None else output_dim
        # nn.LSTM warns when told to drop between the layers of a single one.
        between = dropout if depth > 1 else 0.0
        self.lstm = nn.LSTM(input_dim, width, depth, batch_first=True, dropout=between)
        self.output_proj = nn.Linear(width, self.output_dim)

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`."""
        states, _ = self.lstm(x)
        raw: Tensor = self.output_proj(states[:, -1])
        return raw

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`."""
        output_dim, width = shape_of(state, "output_proj.weight", 2)
        return {
            "input_dim": shape_of(state, "lstm.weight_ih_l0", 2)[1],
            "output_dim": output_dim,
            "width": width,
            "depth": count_layers(state, "lstm.weight_ih_l", ""),
        }
