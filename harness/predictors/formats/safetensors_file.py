"""safetensors: tensors and a little text, and nothing that could be run."""

import importlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.predictors.own_code import own_code

# Its metadata are text; these are more than that in a checkpoint.
_STRUCTURED = ("model_config", "args", "corpus", "context", "dim", "train_article_hashes", "format_version")


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file and its metadata; JSON in the fields that are structured in a checkpoint is read as such.

    Raises:
        UserError: it is damaged, or the package that reads it is not there.
    """
    try:
        library = importlib.import_module("safetensors")
    except ImportError as error:
        raise UserError(f"{path}: needs the package safetensors; `pip install 'lvm-gates[formats]'`.") from error
    try:
        with library.safe_open(str(path), framework="pt", device="cpu") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dictionary
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(
            f"{path}: is not a readable safetensors file ({brief(error)}); copy or save it again, or {own_code(path)}."
        ) from error
    for name in _STRUCTURED:
        if name in metadata:
            try:
                metadata[name] = json.loads(metadata[name])
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{path}: its metadata field {name} is no JSON ({brief(error)}); save it as JSON."
                ) from error
    return tensors, metadata
