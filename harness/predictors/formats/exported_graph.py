"""A graph of `torch.export`, followed node by node: operators of torch's own set, and arithmetic on sizes.

torch's loader makes Python of a graph and runs that, and evaluates expressions in the file on the way. Here nothing is
evaluated: an operator is looked up by its name in a fixed place, and everything else is data.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

# Of the schema that torch writes (torch/_export/serde/schema.py).
DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
_MEMORY = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
_STRIDED = 7
_POSITIONAL = 1
_PLAIN = ("as_int", "as_ints", "as_bool", "as_bools", "as_string", "as_strings")
_NUMBERS = ("add", "sub", "mul", "floordiv", "mod", "neg", "pow", "eq", "ne", "lt", "le", "gt", "ge", "getitem")
_ATEN = re.compile(r"torch\.ops\.aten\.([a-zA-Z]\w*|_[a-z]\w*)\.([a-zA-Z]\w*)")
# The two that reach for files.
_EFFECTS = ("from_file", "save")


class UnknownNodeError(ValueError):
    """What cannot be followed, as a clause."""


def function_of(target: str) -> Callable[..., Any]:
    """The operator of a node.

    Raises:
        UnknownNodeError: it is none of torch's own.
    """
    place, _, name = target.rpartition(".")
    if place == "_operator" and name in _NUMBERS:
        found: Callable[..., Any] = getattr(operator, name)
        return found
    match = _ATEN.fullmatch(target)
    if match and match[1] not in _EFFECTS:
        packet = getattr(torch.ops.aten, match[1], None)
        if packet is not None and match[2] in packet.overloads():
            overload: Callable[..., Any] = getattr(packet, match[2])
            return overload
    raise UnknownNodeError(f"its graph uses {target!r}, which is no operator of torch's own set")


def value_of(argument: Mapping[str, Any], known: Mapping[str, Any], device: torch.device) -> Any:
    """What an argument of a node stands for.

    Raises:
        UnknownNodeError: it is of a kind that no network needs.
    """
    ((kind, given),) = argument.items()
    if kind in _PLAIN:
        return given
    match kind:
        case "as_none":
            return None
        case "as_tensor":
            return known[given["name"]]
        case "as_tensors":
            return [known[one["name"]] for one in given]
        case "as_optional_tensor":
            return value_of(given, known, device)
        case "as_optional_tensors" | "as_sym_ints" | "as_sym_floats":
            return [value_of(one, known, device) for one in given]
        case "as_sym_int" | "as_sym_float" | "as_sym_bool":
            return value_of(given, known, device)
        case "as_name":
            return known[given]
        case "as_float":
            return float(given)  # infinity is written as text
        case "as_floats":
            return [float(one) for one in given]
        case "as_scalar_type" if given in DTYPES:
            return DTYPES[given]
        case "as_memory_format" if given in _MEMORY:
            return _MEMORY[given]
        case "as_layout" if given == _STRIDED:
            return torch.strided
        case "as_device":
            return device  # wherever it was exported
    raise UnknownNodeError(f"its graph has an argument of kind {kind}")


def follow(nodes: Sequence[Mapping[str, Any]], known: dict[str, Any], device: torch.device) -> None:
    """Compute every node in turn; ``known`` gains their outputs by name."""
    for node in nodes:
        positional, named = [], {}
        for one in node["inputs"]:
            value = value_of(one["arg"], known, device)
            if one.get("kind", _POSITIONAL) == _POSITIONAL:
                positional.append(value)
            else:
                named[one["name"]] = value
        result = function_of(node["target"])(*positional, **named)
        outputs = node["outputs"]
        for output, value in zip(outputs, [result] if len(outputs) == 1 else result, strict=False):
            ((kind, given),) = output.items()
            if kind == "as_tensors":
                known.update((one["name"], part) for one, part in zip(given, value, strict=True))
            elif kind != "as_none":
                known[given["as_name"] if "as_name" in given else given["name"]] = value
