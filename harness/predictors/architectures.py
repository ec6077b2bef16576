"""Architectures by name for users: what `models.registry` refuses is reported in one sentence."""

from typing import Any

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.models import registry
from lvm_gates.models.base import NextEmbedding


def architecture(model_type: str) -> type[NextEmbedding]:
    """The class behind a name.

    Raises:
        UserError: an unknown name.
    """
    try:
        return registry.architecture(model_type)
    except registry.UnknownArchitecture as error:
        raise UserError(f"{error}; {did_you_mean(model_type, registry.ARCHITECTURES)}.") from error


def build(model_type: str, **config: Any) -> NextEmbedding:
    """A freshly initialised network.

    Args:
        model_type: a key of `models.registry.ARCHITECTURES`.
        config: constructor arguments of the architecture.

    Raises:
        UserError: an unknown name, or sizes that the architecture cannot have.
    """
    try:
        return registry.build(model_type, **config)
    except registry.UnknownArchitecture as error:
        wanted = str(config.get("base", model_type)) if model_type in registry.ARCHITECTURES else model_type
        raise UserError(f"{error}; {did_you_mean(wanted, registry.ARCHITECTURES)}.") from error
    except ValueError as error:
        raise UserError(f"{error}; choose other sizes.") from error
