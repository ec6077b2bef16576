"""TorchScript: a program for torch's own interpreter, which knows tensors and nothing of Python.

Loading parses the program and reads tensors, with torch's C++ reader: no pickle of Python objects is followed. Two of
the interpreter's operators read or write files by name, three call other machines, and a method called ``__setstate__``
would run while the file is loaded; a program that names any of them is refused before torch sees the file.
"""

import re
import warnings
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.predictors.formats.graph import Graph
from lvm_gates.harness.predictors.formats.tensor_graph import TensorGraphPredictor
from lvm_gates.harness.predictors.own_code import own_code

_FORBIDDEN = re.compile(
    r"\b(save|from_file|__setstate__|rpc_\w+|PythonOp|IgnoredPythonOp)\b|\bops\s*\.\s*(?!prim\b)(\w+)"
)
# Modules of C++ objects (quantised weights), whose constructors take what the file says.
_OBJECTS = re.compile(r"__torch__\s*\.\s*torch\s*\.\s*(classes)\b")
_LONGEST_PROGRAM = 16 << 20
_WHOLE = "torch.jit.load(weights)"


def load_torchscript(path: Path, device: torch.device) -> Graph:
    """Read a TorchScript file.

    Raises:
        UserError: it is damaged, or its program does more than compute.
    """
    try:
        _inspect(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch would rather have torch.export
            module = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except UserError:
        raise
    except Exception as error:  # a parser of hostile bytes may raise anything
        raise UserError(
            f"{path}: is a TorchScript archive that cannot be read ({brief(error)}); copy or save it again, or "
            f"{own_code(path, _WHOLE, whole=True)}."
        ) from error

    def run(contexts: Float[Tensor, "b c d"]) -> Tensor:
        try:
            answer = module(contexts)
        except (RuntimeError, torch.jit.Error) as error:  # the interpreter's traceback, and then the sentence
            last = str(error).strip().splitlines()[-1]
            raise RuntimeError(last.removeprefix("builtins.").removeprefix("RuntimeError: ")) from None
        if not isinstance(answer, Tensor):
            raise TypeError(f"the graph returns a {type(answer).__name__} and not one tensor")
        return answer

    return Graph(partial(TensorGraphPredictor, run=run, device=device))


def _inspect(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        # Torch's reader does not tell upper from lower case.
        if [name for name, count in Counter(info.filename.lower() for info in infos).items() if count > 1]:
            raise UserError(f"{path}: holds a member twice, which TorchScript does not write; save it again.")
        if damaged := archive.testzip():
            raise UserError(f"{path}: is damaged (the checksum of {brief(damaged)} is wrong); copy it again.")
        for info in infos:
            if not info.filename.endswith(".py"):
                continue
            if info.file_size > _LONGEST_PROGRAM:
                raise UserError(f"{path}: holds a program of {info.file_size >> 20} MB; save it again as weights.")
            program = archive.read(info).decode()
            if found := _FORBIDDEN.search(program) or _OBJECTS.search(program):
                raise UserError(
                    f"{path}: its program uses {brief(found[1] or found[found.lastindex or 0])!r}, which could do more "
                    f"than compute, so it was not run; if you trust it, {own_code(path, _WHOLE, whole=True)}."
                )
