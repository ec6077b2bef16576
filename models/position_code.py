"""Codes that tell a network's slots apart, added to the embedded frames: sinusoidal or learnt."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

# Rows of the sinusoidal table in every original file; the longest context the network can read.
MAX_CONTEXT = 100
# As large as a channel of an embedded frame: nn.Linear's default weights give sqrt(1 / (3 * 768)) on unit vectors.
INITIAL_SCALE = 0.02


class SinusoidalPosition(nn.Module):
    """Adds the sine-cosine code of Vaswani et al. (arXiv 1706.03762, section 3.5).

    Raises:
        ValueError: a context longer than the table.
    """

    pe: Tensor

    def __init__(self, width: int, max_context: int) -> None:
        super().__init__()
        # Of numbers wherever the network is built: the first `arange` without any loads two seconds of torch's Python.
        with torch.device("cpu"):
            slot = torch.arange(max_context, dtype=torch.float32)[:, None]
            rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
            code = torch.zeros(max_context, width)
        code[:, 0::2] = torch.sin(slot * rate)
        code[:, 1::2] = torch.cos(slot * rate)[:, : width // 2]
        self.register_buffer("pe", code[None])

    def forward(self, x: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        return x + _rows(self.pe, x.shape[1])


class LearntPosition(nn.Module):
    """Adds one learnable vector a slot.

    Raises:
        ValueError: a context longer than the table.
    """

    def __init__(self, width: int, max_context: int) -> None:
        super().__init__()
        self.table = nn.Parameter(INITIAL_SCALE * torch.randn(1, max_context, width))

    def forward(self, x: Float[Tensor, "batch context width"]) -> Float[Tensor, "batch context width"]:
        return x + _rows(self.table, x.shape[1])


def _rows(table: Float[Tensor, "1 slots width"], context: int) -> Float[Tensor, "1 context width"]:
    slots = table.shape[1]
    if context > slots:
        raise ValueError(f"a context of {context} is longer than the {slots} slots the network knows")
    return table[:, :context]
