"""Programs of `torch.export` (``.pt2``): graph and weights read from the archive as data, without torch's loader."""

import json
import math
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.predictors.formats.exported_graph import DTYPES, UnknownNodeError, follow, function_of
from lvm_gates.harness.predictors.formats.graph import Graph
from lvm_gates.harness.predictors.formats.tensor_graph import TensorGraphPredictor
from lvm_gates.harness.predictors.own_code import own_code

_WHOLE = "torch.export.load(weights).module()"
_LONGEST_GRAPH = 64 << 20
_STORED = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}


def load_exported(path: Path, device: torch.device) -> Graph:
    """Read a program.

    Raises:
        UserError: it is damaged, from a torch that wrote it in another way, or more than a graph of torch's operators.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _graph(path, archive, device)
    except UserError:
        raise
    except Exception as error:  # a parser of hostile bytes may raise anything
        why = str(error) if isinstance(error, UnknownNodeError) else f"it cannot be followed: {type(error).__name__}"
        raise UserError(
            f"{path}: is a program of torch.export of which nothing was run, since {brief(why)}; export it again, or "
            f"if you trust it {own_code(path, _WHOLE, whole=True)}."
        ) from error


def _graph(path: Path, archive: zipfile.ZipFile, device: torch.device) -> Graph:
    names = archive.namelist()
    root = names[0].partition("/")[0]
    if [name for name, count in Counter(names).items() if count > 1]:
        raise UnknownNodeError("it holds a member twice")
    if damaged := archive.testzip():
        raise UserError(f"{path}: is damaged (the checksum of {brief(damaged)} is wrong); copy it again.")
    if archive.read(f"{root}/byteorder") != b"little":
        raise UnknownNodeError("its numbers are big-endian")
    program = _json(archive, f"{root}/models/model.json")["graph_module"]
    graph, signature = program["graph"], program["signature"]
    weights = _tensors(archive, f"{root}/data/weights/", "model_weights_config.json", device)
    weights |= _tensors(archive, f"{root}/data/constants/", "model_constants_config.json", device)
    known: dict[str, Any] = {}
    given: list[str] = []
    for one in signature["input_specs"]:
        ((kind, spec),) = one.items()
        if kind == "user_input":
            given.append(spec["arg"]["as_tensor"]["name"])
        elif kind in _STORED:
            known[spec["arg"]["name"]] = weights[spec[_STORED[kind]]]
        else:
            raise UnknownNodeError(f"it has an input of kind {kind}")
    outputs = [one["user_output"]["arg"]["as_tensor"]["name"] for one in signature["output_specs"]]
    if len(given) != 1:
        raise UnknownNodeError(f"it reads {len(given)} inputs, where one of contexts (B, C, D) is wanted")
    for node in graph["nodes"]:
        function_of(node["target"])
    sizes = [one.get("as_int") for one in graph["tensor_values"][given[0]]["sizes"]]
    if sizes[0] is not None:
        raise UserError(
            f"{path}: was exported for batches of {sizes[0]} contexts and no other; export it again with a batch that "
            "may vary, torch.export.export(model, (contexts,), dynamic_shapes=({0: torch.export.Dim('batch')},))."
        )

    def run(contexts: Float[Tensor, "b c d"]) -> Tensor:
        values = {**known, given[0]: contexts}
        follow(graph["nodes"], values, device)
        answer: Tensor = values[outputs[0]]
        return answer

    assumed = (f"the first of {len(outputs)} outputs, {brief(outputs[0])}",) if len(outputs) > 1 else ()
    context, dim = sizes[1:] if len(sizes) == 3 else (None, None)
    return Graph(partial(TensorGraphPredictor, run=run, device=device), assumed, context, dim)


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    if archive.getinfo(name).file_size > _LONGEST_GRAPH:
        raise UnknownNodeError("its graph is longer than 64 MB")
    return json.loads(archive.read(name))


def _tensors(archive: zipfile.ZipFile, folder: str, config: str, device: torch.device) -> dict[str, Tensor]:
    found = {}
    for name, entry in _json(archive, folder + config)["config"].items():
        meta = entry["tensor_meta"]
        if entry["use_pickle"]:
            raise UnknownNodeError(f"its weight {name!r} is pickled")
        size, stride = ([one["as_int"] for one in meta[part]] for part in ("sizes", "strides"))
        content = bytearray(archive.read(folder + entry["path_name"]))
        flat = torch.frombuffer(content, dtype=DTYPES[meta["dtype"]]) if content else torch.empty(0)
        if math.prod(size) > max(1, flat.numel()) or any(one < 0 for one in (*size, *stride)):
            raise UnknownNodeError(f"its weight {name!r} is larger than its data")
        found[name] = flat.as_strided(size, stride, meta["storage_offset"]["as_int"]).to(device)
    return found
