"""What every architecture here has in common: a raw head output, and its direction as the prediction."""

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

State = Mapping[str, Tensor]
Config = Mapping[str, Any]
NO_CONFIG: Config = MappingProxyType({})

# Attention heads of every original network, which record them nowhere (docs/sources.md, "Checkpoint format").
PUBLISHED_HEADS = 8
# Original networks have 4 layers, the deepest language models 126. A file of a few megabytes can name thousands, each
# of which takes milliseconds to build before the first shape is compared.
MOST_LAYERS = 256


class WeightsError(LookupError):
    """A state dict from which an architecture's sizes cannot be read; the text names the key."""


class ConfigError(ValueError):
    """A ``model_config`` that contradicts itself or its weights; the text says where, and what to do."""


class NextEmbedding(nn.Module, ABC):
    """A network that reads C consecutive chunk embeddings and predicts the next one.

    Training needs the raw head output, whose length carries confidence under MSE (its optimum is the expected cosine,
    docs/sources.md, "Scale of the output"); everything else wants the direction only.

    Attributes:
        input_dim: width of one input frame; D, or D + 1 with a position channel.
        output_dim: D, width of the prediction.
    """

    input_dim: int
    output_dim: int

    @abstractmethod
    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """The head's output before normalisation, (B, D)."""

    def answers(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch answers dim"]:
        """What training asks, (B, N, D): ``raw(x)`` alone, unless a network says more of a context than the gate asks.

        The first is what stands for the prediction in training; others may be of later chunks, or further samples.
        """
        return self.raw(x)[:, None]

    def forward(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """The prediction: ``raw(x)`` scaled to unit norm, (B, D)."""
        return functional.normalize(self.raw(x), dim=-1)

    @classmethod
    @abstractmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """The constructor arguments that give a network of these weights.

        Args:
            state: the weights; sizes are read from their shapes and nowhere else.
            config: ``model_config`` as recorded beside them, for what shapes do not tell.

        Raises:
            WeightsError: a key the sizes are read from is missing or of the wrong rank.
            ConfigError: ``config`` says what cannot be.
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
    if count > MOST_LAYERS:
        raise WeightsError(f"the weights have {count} layers ({prefix}0 and so on), more than {MOST_LAYERS}")
    return count


def heads_of(config: Config) -> int:
    """The attention heads a ``model_config`` names, under our name or the original ``nhead``.

    Raises:
        ConfigError: they are no whole number.
    """
    heads = config.get("heads", config.get("nhead", PUBLISHED_HEADS))
    if not isinstance(heads, int) or isinstance(heads, bool):
        raise ConfigError(f"model_config names {reprlib.repr(heads)} heads; save it with a whole number")
    return heads


def flag_of(config: Config, name: str, default: bool) -> bool:
    """A choice that a ``model_config`` records; ``default`` where it is silent.

    Raises:
        ConfigError: it is neither true nor false.
    """
    flag = config.get(name, default)
    if not isinstance(flag, bool):
        raise ConfigError(f"model_config has {name} {reprlib.repr(flag)}; save it as true or false")
    return flag


def require_heads(width: int, heads: int) -> None:
    """Refuse a width that heads cannot share.

    Raises:
        ValueError: ``width`` is not a multiple of ``heads``.
    """
    if heads < 1 or width % heads:
        raise ValueError(f"a width of {width} does not divide into {heads} heads")


def gelu_head(width: int, output_dim: int) -> nn.Sequential:
    """The original transformer's head: linear, GELU, LayerNorm, linear."""
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, output_dim))


def prediction_dim(input_dim: int, output_dim: int | None) -> int:
    """D of a network that adds its prediction to the frames it reads; None means as wide as they are.

    Raises:
        ValueError: an output wider than the frames.
    """
    if output_dim is None:
        return input_dim
    if output_dim > input_dim:
        raise ValueError(f"an output of {output_dim} is wider than the frames of {input_dim} it mixes")
    return output_dim
