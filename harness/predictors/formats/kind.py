"""Which format a model file has, by what is in it rather than by what it is called."""

import zipfile
from pathlib import Path
from typing import Literal

from lvm_gates.harness.base.paths import is_file

Kind = Literal["checkpoint", "safetensors", "torchscript", "exported", "onnx"]
# Most of a header of safetensors: that of a model with thousands of tensors has some hundred kilobytes.
_LONGEST_HEADER = 100 << 20


def kind_of(path: Path) -> Kind:
    """The format of a file; ``checkpoint`` where it is none of the others, whose reader says what is wrong with it."""
    if not is_file(path):
        return "checkpoint"
    try:
        with path.open("rb") as stream:
            begin = stream.read(9)
        if begin.startswith(b"PK\x03\x04"):
            return _archive(path)
    except (OSError, zipfile.BadZipFile, ValueError):
        return "checkpoint"
    header = int.from_bytes(begin[:8], "little")
    if begin[8:] == b"{" and 2 <= header <= min(_LONGEST_HEADER, path.stat().st_size - 8):
        return "safetensors"
    if path.suffix.lower() == ".safetensors":
        return "safetensors"
    return "onnx" if path.suffix.lower() == ".onnx" else "checkpoint"


def _archive(path: Path) -> Kind:
    with zipfile.ZipFile(path) as archive:
        inside = {name.partition("/")[2] for name in archive.namelist()}
    if any(name.startswith("code/") for name in inside) or "constants.pkl" in inside:
        return "torchscript"
    if "models/model.json" in inside or "serialized_exported_program.json" in inside:
        return "exported"
    return "checkpoint"
