"""From weights to the network they belong to.

The network is built on torch's "meta" device from the shapes of the weights, compared with them key by key, and
only then given them: a file cannot make the loader reserve more memory than its own tensors do.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.errors import UserError
from models.base import NextEmbedding, WeightsError
from models.position import DEFAULT_SCALE
from models.registry import architecture, build

PUBLISHED_HEADS = 8
# Names under which `args` may record the position scale; the published harness used .03 whatever they said.
SCALE_ARGUMENTS = ("position_scale", "positional_scalar", "pos_scale")


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
    kind = architecture(model_type)
    try:
        sizes = kind.config_from(state)
    except WeightsError as error:
        prefix = _wrapper_prefix(kind, state)
        if prefix is not None:
            raise UserError(
                f"{path}: the weights are wrapped (their keys start with {prefix!r}, as those of recipe P2), "
                f"which this version cannot rebuild; save the inner {model_type} alone."
            ) from error
        raise UserError(f"{path}: not a {model_type} checkpoint: {error}; check its model_type.") from error
    if model_type == "transformer":
        # Published files call it nhead; shapes cannot tell it.
        heads = config.get("heads", config.get("nhead", PUBLISHED_HEADS))
        if not isinstance(heads, int):
            raise UserError(f"{path}: model_config names {heads!r} heads; save it with a whole number.")
        sizes["heads"] = heads
    try:
        with torch.device("meta"):
            module = build(model_type, **sizes)
    except UserError as error:
        raise UserError(f"{path}: its weights and model_config do not agree: {error}") from error
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    wrong = _first_difference(expected, state)
    if wrong:
        raise UserError(f"{path}: not a {model_type} checkpoint: {wrong}; check its model_type.")
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
    for prefix in sorted({key.split(".")[0] + "." for key in state}):
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
        UserError: the input is neither as wide as the output nor one wider.
    """
    if module.input_dim == module.output_dim:
        return None
    if module.input_dim != module.output_dim + 1:
        raise UserError(
            f"{path}: reads frames {module.input_dim} wide and predicts {module.output_dim}; train it with "
            "inputs as wide as the prediction, or one wider for a position channel."
        )
    for name in SCALE_ARGUMENTS:
        value = args.get(name)
        # A zero is what V3's flag left behind, while it validated with the default (seed facts 1).
        if isinstance(value, int | float) and value > 0:
            return float(value)
    return DEFAULT_SCALE
