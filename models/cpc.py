"""Contrastive predictive coding over frames (van den Oord et al. 2018, arXiv 1807.03748).

A GRU sums up the frames so far in c_t, and one linear map a step, W_1 to W_K, predicts from it the chunks that follow:
exp(z_{t+k} . W_k c_t) scores a candidate z. The encoder of the paper, trained along, is not here: chunks come embedded.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import NO_CONFIG, Config, NextEmbedding, State, count_layers, shape_of


class CPC(NextEmbedding):
    """GRU, then a linear head for each of K steps; the first is what is gated.

    Args:
        input_dim: width of one frame.
        output_dim: D; default ``input_dim``.
        width: of the GRU.
        depth: of the GRU, layers.
        steps: K.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        width: int = 512,
        depth: int = 1,
        steps: int = 3,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = input_dim if output_dim is None else output_dim
        self.gru = nn.GRU(input_dim, width, depth, batch_first=True)
        # As nn.Linear begins.
        bound = width**-0.5
        self.heads = nn.Parameter(torch.empty(steps, self.output_dim, width).uniform_(-bound, bound))

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`."""
        return self._summary(x) @ self.heads[0].T

    def answers(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch steps dim"]:
        """W_k c_t for every step k, (B, K, D)."""
        return torch.einsum("bw,kdw->bkd", self._summary(x), self.heads)

    def _summary(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch width"]:
        states: Tensor = self.gru(x)[0]
        return states[:, -1]

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`."""
        steps, dim, width = shape_of(state, "heads", 3)
        return {
            "input_dim": shape_of(state, "gru.weight_ih_l0", 2)[1],
            "output_dim": dim,
            "width": width,
            "depth": count_layers(state, "gru.weight_ih_l", ""),
            "steps": steps,
        }
