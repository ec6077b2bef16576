"""Architectures by the name that checkpoints record; torch is imported when a network is asked for."""

import importlib
import reprlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvm_gates.models.base import NextEmbedding

ARCHITECTURES = {
    "transformer": "lvm_gates.models.transformer:Transformer",
    "lstm": "lvm_gates.models.lstm:LSTM",
    "gru": "lvm_gates.models.gru:GRU",
    "amn": "lvm_gates.models.amn:AMN",
    "residual": "lvm_gates.models.residual:Residual",
    "biased-transformer": "lvm_gates.models.biased_transformer:BiasedTransformer",
    "next-token": "lvm_gates.models.next_token:NextToken",
    "ranker": "lvm_gates.models.ranker:Ranker",
    "ranker-lstm": "lvm_gates.models.ranker:LSTMRanker",
    "band-gated": "lvm_gates.models.band_gated:BandGated",
    "base-lcm": "lvm_gates.models.base_lcm:BaseLCM",
    "sentence-lm": "lvm_gates.models.sentence_lm:SentenceLM",
    "cpc": "lvm_gates.models.cpc:CPC",
    "energy": "lvm_gates.models.energy:Energy",
}


class UnknownArchitecture(LookupError):  # noqa: N818 - it names what is not there
    """A name that no architecture bears."""


def architecture(model_type: str) -> "type[NextEmbedding]":
    """The class behind a name; case does not matter, as in the original loader.

    Raises:
        UnknownArchitecture: an unknown name.
    """
    target = ARCHITECTURES.get(model_type.lower())
    if target is None:
        raise UnknownArchitecture(f"unknown model type {reprlib.repr(model_type)}")
    module, _, name = target.partition(":")
    found: type[NextEmbedding] = getattr(importlib.import_module(module), name)
    return found


def build(model_type: str, **config: Any) -> "NextEmbedding":
    """A freshly initialised network.

    Args:
        model_type: a key of `ARCHITECTURES`.
        config: constructor arguments of the architecture (``input_dim``, ``output_dim``, ``width``, ...).

    Raises:
        UnknownArchitecture: an unknown name.
        ValueError: sizes that the architecture cannot have.
    """
    network = architecture(model_type)
    try:
        return network(**config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"cannot build a {model_type}: {error}") from error
