"""Weights as people keep them: under which key of a file they lie, behind which prefix, and of which network they are.

Our own files and original ones say all of it. Others do not, so each step that was not recorded is said, in words that
the scorecard shows: a wrong guess must not look like knowledge.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.predictors.architectures import architecture
from lvm_gates.harness.predictors.checkpoint_network import network_of, unwrapped
from lvm_gates.harness.predictors.own_code import own_code
from lvm_gates.models.base import ConfigError, NextEmbedding, WeightsError
from lvm_gates.models.position import DEFAULT_SCALE
from lvm_gates.models.registry import ARCHITECTURES
from lvm_gates.models.residual import ALPHA, BASE_PREFIX

OWN_KEY = "model_state_dict"
# In this order: Lightning's and most trainers', then what smaller scripts write.
FOREIGN_KEYS = ("state_dict", "model", "model_state", "net", "network", "weights", "params", "module")
# What such files call the arguments of the network.
_CONFIGS = ("model_config", "config", "hyper_parameters", "hparams", "args")
_DEEPEST_PREFIX = 4
_WRAPPERS = ("module", "_orig_mod", "model", "net")


class Weights(NamedTuple):
    """Float32 weights of one network.

    Attributes:
        state: under the names that the network itself gave them.
        key: of the file they lay under; empty where the file holds nothing else.
        assumed: what was done to get them that the file does not say, in words.
    """

    state: dict[str, Tensor]
    key: str
    assumed: tuple[str, ...]


def weights_in(path: Path, record: Mapping[Any, Any]) -> Weights:
    """Find the weights of a file.

    Raises:
        UserError: there are none, or they are no real numbers.
    """
    found = record.get(OWN_KEY)
    if OWN_KEY in record:
        key, assumed = OWN_KEY, []
    else:
        key = next((one for one in FOREIGN_KEYS if _is_state(record.get(one))), "")
        found = record[key] if key else record if _is_state(record) else None
        assumed = [f"weights under {key!r}" if key else "the file is a bare state_dict"]
    if not isinstance(found, Mapping):
        holds = brief(", ".join(sorted(map(str, record))[:6])) if record else "nothing"
        raise UserError(f"{path}: has no {OWN_KEY} and no other weights (it holds {holds}); {own_code(path)}.")
    for name, value in found.items():
        dense = isinstance(value, Tensor) and value.layout is torch.strided and value.numel() > 0
        if not isinstance(name, str) or not dense or not value.is_floating_point():
            raise UserError(
                f"{path}: weight {brief(repr(name))} is not a tensor of real numbers; save the weights again, or "
                f"{own_code(path)}."
            )
    prefix = "".join(f"{part}." for part in _shared(list(found), any_part="model_type" not in record))
    if prefix:
        assumed.append(f"prefix {brief(prefix)!r} of every weight dropped")
    state = {name.removeprefix(prefix): value.to(torch.float32) for name, value in found.items()}
    return Weights(state, key, tuple(assumed))


def config_in(record: Mapping[Any, Any], model_config: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """What a file that is none of ours says of its network: ``model_config``, or what others call it."""
    if model_config:
        return model_config, ()
    for name in _CONFIGS:
        section = record.get(name)
        if isinstance(section, Mapping) and section.keys() & {"heads", "nhead"}:
            return {key: section[key] for key in ("heads", "nhead") if key in section}, (
                f"attention heads by {name!r}",
            )
    return {}, ()


def recognised(
    path: Path, state: dict[str, Tensor], config: Mapping[str, Any]
) -> tuple[str, NextEmbedding, tuple[str, ...]]:
    """The one architecture whose weights these are, by names and shapes.

    Returns:
        Its name, the network, and what shapes do not tell and so was assumed.

    Raises:
        UserError: it is none that is known here.
    """
    nearly = ""
    for kind in ARCHITECTURES:
        try:
            # Any scalar beside a wrapped network would pass for P2's alpha; here it must be called so.
            p2 = ALPHA in state and not any(key.startswith(BASE_PREFIX) for key in state)
            name, inner, sizes = unwrapped(path, kind, state, config) if p2 else (kind, state, config)
            module = network_of(path, name, inner, sizes)
        except UserError as error:
            if not nearly and _begins_like(kind, state):
                nearly = f" (nearest: {str(error).removeprefix(f'{path}: ').partition(';')[0]})"
            continue
        heads = architecture(name).config_from(inner, sizes).get("heads")
        unsaid = heads is not None and not config.keys() & {"heads", "nhead"}
        return name, module, (f"architecture {name} by shapes", *([f"{heads} attention heads"] if unsaid else []))
    shown = brief(", ".join(list(state)[:3]))
    raise UserError(
        f"{path}: its {len(state)} weights ({shown}, ...) are those of no architecture known here{nearly}; for a "
        f"network of your own {own_code(path)}."
    )


def channel_assumed(module: NextEmbedding, args: Mapping[str, Any], scale: float | None) -> tuple[str, ...]:
    """The scale of a position channel, where no field of the file names one."""
    if scale != DEFAULT_SCALE or module.input_dim == module.output_dim or args:
        return ()
    return (f"a position channel of scale {scale:g}",)


def _begins_like(kind: str, state: dict[str, Tensor]) -> bool:
    try:
        architecture(kind).config_from(state)
    except WeightsError:
        return False
    except ConfigError:
        return True
    return True


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(one, Tensor) for one in value.values())


def _shared(names: list[str], *, any_part: bool) -> Iterator[str]:
    """What stands before every name: ``module.`` of DataParallel, ``_orig_mod.`` of torch.compile, ``model.``.

    No architecture here has one part before all of its names, but what is left of a residual network that lost its
    alpha has: that is a damaged file, and not its base.
    """
    split = [name.split(".") for name in names]
    for parts in list(zip(*split, strict=False))[:_DEEPEST_PREFIX]:
        part = parts[0]
        if len(set(parts)) > 1 or any(len(one) < 2 for one in split):
            return
        if part not in _WRAPPERS and (not any_part or f"{part}." == BASE_PREFIX):
            return
        yield part
