"""ONNX by onnxruntime on the CPU: operators of the standard sets alone, no library of anybody else's is loaded."""

import importlib
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.predictors.formats.graph import Graph, GraphPredictor
from lvm_gates.harness.predictors.formats.onnx_files import external_files
from lvm_gates.harness.predictors.own_code import own_code

_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16}
_WHOLE = "MyWrapper(onnxruntime.InferenceSession(weights))"
_ERRORS_ONLY = 4


def load_onnx(path: Path) -> Graph:
    """Read an ONNX file; what it keeps in files beside it is looked for in its own folder only.

    Raises:
        UserError: it is damaged, or its input and output are not those of a predictor.
    """
    try:
        runtime: Any = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise UserError(f"{path}: needs the package onnxruntime; `pip install 'lvm-gates[formats]'`.") from error
    try:
        files = external_files(path)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = _ERRORS_ONLY
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(
            f"{path}: is not an ONNX model that onnxruntime reads ({brief(error)}); export it again, or "
            f"{own_code(path, _WHOLE, whole=True)}."
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or inputs[0].type not in _TYPES or len(inputs[0].shape) not in (2, 3):
        shown = brief(", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs))
        raise UserError(
            f"{path}: reads {shown}, where one input of contexts (B, C, D) is wanted; "
            f"{own_code(path, _WHOLE, whole=True)}."
        )
    name, kind, shape = inputs[0].name, _TYPES[inputs[0].type], inputs[0].shape
    if isinstance(shape[0], int):
        raise UserError(
            f"{path}: was exported for batches of {shape[0]} contexts and no other; export it again with a batch that "
            "may vary, torch.onnx.export(..., dynamic_shapes=({0: torch.export.Dim('batch')},))."
        )
    first = outputs[0].name
    assumed = [f"the first of {len(outputs)} outputs, {brief(first)}"] if len(outputs) > 1 else []
    flat = len(shape) == 2
    if flat:
        assumed.append("frames of a context flattened, oldest first")

    def run(contexts: Float[np.ndarray, "b c d"]) -> Shaped[np.ndarray, "..."]:
        given = contexts.reshape(len(contexts), math.prod(contexts.shape[1:])) if flat else contexts
        answer: Shaped[np.ndarray, ...] = session.run([first], {name: given.astype(kind, copy=False)})[0]
        return answer

    context, dim = (None, None) if flat else (one if isinstance(one, int) else None for one in shape[1:])
    return Graph(partial(GraphPredictor, run=run), tuple(assumed), context, dim, files)
