"""What every architecture here has in common: a raw head output, and its direction as the prediction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

State = Mapping[str, Tensor]


class WeightsError(LookupError):
    """A state dict from which an architecture's sizes cannot be read; the text names the key."""


class NextEmbedding(nn.Module, ABC):
    """A network that reads C consecutive chunk embeddings and predicts the next one.

    Training needs the raw head output, whose length carries confidence under MSE (its optimum is the
    expected cosine, seed facts 1); everything else wants the direction only.

    Attributes:
        input_dim: width of one input frame; D, or D + 1 with a position channel.
        output_dim: D, width of the prediction.
    """

    input_dim: int
    output_dim: int

    @abstractmethod
    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """The head's output before normalisation, (B, D)."""

    def forward(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """The prediction: ``raw(x)`` scaled to unit norm, (B, D)."""
        return functional.normalize(self.raw(x), dim=-1)

    @classmethod
    @abstractmethod
    def config_from(cls, state: State) -> dict[str, Any]:
        """The constructor arguments that give a network of these shapes, as far as shapes tell.

        Raises:
            WeightsError: a key the sizes are read from is missing or of the wrong rank.
        """


def shape_of(state: State, key: str, rank: int) -> tuple[int, ...]:
    """The shape of one tensor of a state dict.

    Raises:
        WeightsError: the key is missing, or its tensor has another rank.
    """
    if key not in state:
        raise WeightsError(f"the weights lack {key}")
    shape = tuple(state[key].shape)
    if len(shape) != rank:
        raise WeightsError(f"{key} has shape {shape} where {rank} axes are expected")
    return shape


def count_layers(state: State, prefix: str, suffix: str) -> int:
    """How many of ``{prefix}0{suffix}``, ``{prefix}1{suffix}``, ... the state dict holds without a gap."""
    count = 0
    while f"{prefix}{count}{suffix}" in state:
        count += 1
    if count == 0:
        raise WeightsError(f"the weights lack {prefix}0{suffix}")
    return count
