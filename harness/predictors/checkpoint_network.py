"""From weights to the network they belong to.

The network is built on torch's "meta" device from the shapes of the weights, compared with them key by key, and
only then given them: a file cannot make the loader reserve more memory than its own tensors do.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.predictors.architectures import architecture, build
from lvm_gates.models.base import ConfigError, NextEmbedding, WeightsError
from lvm_gates.models.position import DEFAULT_SCALE
from lvm_gates.models.residual import ALPHA, BASE_PREFIX, RESIDUAL

# The scale of the saved epoch in the `args` of our own files.
OWN_SCALE = "position_scale"
FLOAT32_MAX = float(torch.finfo(torch.float32).max)
# Names under which original `args` may record it; the original harness used .03 whatever they said.
PUBLISHED_SCALES = ("positional_scalar", "pos_scale")


def unwrapped(
    path: Path, model_type: str, state: dict[str, Tensor], config: Mapping[str, Any]
) -> tuple[str, dict[str, Tensor], Mapping[str, Any]]:
    """An original P2 file as the residual network it holds; any other file as it is.

    P2 files name their base as the model_type, prefix the base's keys with the wrapper's attribute and add one scalar,
    alpha. The names of neither are recorded (docs/sources.md, "Checkpoint format"), so they are told apart by what they
    hold.

    Args:
        path: for messages.
        model_type: a known architecture.
        state: float32 weights.
        config: the file's ``model_config``.

    Returns:
        Model type, weights and ``model_config`` of the network to be built.

    Raises:
        UserError: the weights are wrapped, but not as P2's.
    """
    prefix = None if model_type == RESIDUAL else _wrapper_prefix(architecture(model_type), state)
    if prefix is None:
        return model_type, state, config
    beside = [value for key, value in state.items() if not key.startswith(prefix)]
    if len(beside) != 1 or beside[0].numel() != 1:
        raise UserError(
            f"{path}: the weights are wrapped (their keys start with {brief(prefix)!r}), but not beside a single alpha "
            f"as those of recipe P2 are; save the inner {model_type} alone."
        )
    base = {BASE_PREFIX + key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # Original steps are of unit norm (docs/sources.md, "P2"), and original files say nothing about it.
    return RESIDUAL, base | {ALPHA: beside[0].reshape(())}, {"normalise_delta": True, **config, "base": model_type}


def network_of(path: Path, model_type: str, state: dict[str, Tensor], config: Mapping[str, Any]) -> NextEmbedding:
    """The network whose shapes are those of ``state``, holding it, in eval mode.

    Args:
        path: for messages.
        model_type: a known architecture.
        state: float32 weights.
        config: the file's ``model_config``.

    Raises:
        UserError: the weights are not those of the architecture; the first difference is named.
    """
    try:
        sizes = architecture(model_type).config_from(state, config)
    except WeightsError as error:
        raise UserError(f"{path}: not a {model_type} checkpoint: {brief(error)}; check its model_type.") from error
    except ConfigError as error:
        raise UserError(f"{path}: {brief(error)}.") from error
    try:
        with torch.device("meta"):
            module = build(model_type, **sizes)
    except UserError as error:
        raise UserError(f"{path}: its weights and model_config do not agree: {error}") from error
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    wrong = _first_difference(expected, state)
    if wrong:
        raise UserError(f"{path}: not a {model_type} checkpoint: {brief(wrong)}; check its model_type.")
    module.load_state_dict(state, strict=True, assign=True)
    return module.requires_grad_(False).eval()


def _first_difference(expected: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor]) -> str | None:
    """The first key that is missing, of another shape, or unexpected, in words."""
    for key, shape in expected.items():
        if key not in state:
            return f"the weights lack {key}"
        if tuple(state[key].shape) != shape:
            return f"{key} has shape {tuple(state[key].shape)} where {shape} is expected"
    extra = sorted(set(state) - set(expected))
    return f"{extra[0]} is none of its weights" if extra else None


def _wrapper_prefix(kind: type[NextEmbedding], state: Mapping[str, Tensor]) -> str | None:
    """The prefix that hides a network of this kind inside another module's keys, if one does."""
    for name, _ in Counter(key.partition(".")[0] for key in state).most_common(1):
        prefix = f"{name}."
        inner = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        try:
            kind.config_from(inner)
        except WeightsError:
            continue
        return prefix
    return None


def position_scale(path: Path, module: NextEmbedding, args: Mapping[str, Any]) -> float | None:
    """The scale of the position channel, None for a network without one.

    Raises:
        UserError: the input is neither as wide as the output nor one wider, or our own file names no scale.
    """
    if module.input_dim == module.output_dim:
        return None
    if module.input_dim != module.output_dim + 1:
        raise UserError(
            f"{path}: reads frames {module.input_dim} wide and predicts {module.output_dim}; train it with "
            "inputs as wide as the prediction, or one wider for a position channel."
        )
    own = args.get(OWN_SCALE)
    if own is not None:
        # A schedule may start from 0, as P5.1's does.
        if not (_is_finite(own) and own >= 0):
            raise UserError(
                f"{path}: args name a {OWN_SCALE} of {brief(repr(own))}; save it as 0 or a positive number."
            )
        return float(own)
    for name in PUBLISHED_SCALES:
        value = args.get(name)
        # A zero is what V3's flag left behind, while it validated with the default
        # (docs/sources.md, "Versions of the code").
        if _is_finite(value) and value > 0:
            return float(value)
    return DEFAULT_SCALE


def _is_finite(value: Any) -> TypeGuard[float]:
    """Whether a value is a number that float32 can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < FLOAT32_MAX
