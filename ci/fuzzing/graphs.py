"""Damaged model files that are graphs: TorchScript, torch.export and ONNX.

The archives of torch have checksums, so that damage in them is either seen or beside the point; ONNX has none,
and a bit of a weight turned over in it cannot be seen.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from ci.fuzzing.cases import Case, Rng, damaged, directory_entries, with_field, zip_of
from ci.fuzzing.checkpoint_files import CONTEXT, CONTEXTS, DIM


class _Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = torch.nn.Linear(CONTEXT * DIM, DIM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1))


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``: each format in turn, damaged anywhere, or as an archive by its members."""
    suffix = list(_FORMATS)[index % len(_FORMATS)]
    content = _FORMATS[suffix]()
    zipped = content[:2] == b"PK"
    if zipped and rng.random() < 0.5:
        kind, content = _member(content, rng)
        expected = "any"
    else:
        kind, content = damaged(content, rng)
        expected = "same" if zipped else "any"
    path = folder / f"in{suffix}"
    path.write_bytes(content)
    return Case(f"{suffix}: {kind}", expected, lambda: read_graph_file(path), _truth(suffix))  # type: ignore[arg-type]


@cache
def _truth(suffix: str) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"whole{suffix}"
        path.write_bytes(_FORMATS[suffix]())
        return read_graph_file(path)


def read_graph_file(path: Path) -> str:
    """As a gate session reads it: loaded and asked."""
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.evaluation.resolve_model import load_named

    named = load_named(str(path))
    if named.dim not in (None, DIM) or named.context not in (None, CONTEXT):
        raise UserError(f"{path}: a graph of another shape.")
    found = named.predictor.predict(CONTEXTS)  # type: ignore[union-attr]
    return hashlib.sha256(found.round(4).tobytes()).hexdigest()


def _member(content: bytes, rng: Rng) -> tuple[str, bytes]:
    """One member damaged with its checksum made right, left out, or misdescribed by the archive's directory."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at = int(rng.integers(len(members)))
    name, inner = members[at]
    kind = str(rng.choice(["damaged", "damaged", "damaged", "missing", "field"]))
    if kind == "field":
        field = str(rng.choice(["flags", "method", "crc", "compressed size", "size", "header offset"]))
        entry = int(rng.integers(len(directory_entries(content))))
        return f"{field} of member {entry}", with_field(content, entry, field, int(rng.integers(60_000)))
    if kind == "missing" or not inner:
        return f"without {name}", zip_of(members[:at] + members[at + 1 :])
    how, changed = damaged(inner, rng)
    return f"{name} with a checksum, {how}", zip_of([*members[:at], (name, changed), *members[at + 1 :]])


@cache
def _torchscript() -> bytes:
    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(_Network().eval(), torch.zeros(2, CONTEXT, DIM)), out)
    return out.getvalue()


@cache
def _exported() -> bytes:
    out = io.BytesIO()
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.export.save(
        torch.export.export(_Network().eval(), (torch.zeros(4, CONTEXT, DIM),), dynamic_shapes=({0: batch},)), out
    )
    return out.getvalue()


@cache
def _onnx() -> bytes:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    head = _Network().head
    weights = [
        numpy_helper.from_array(head.weight.detach().numpy().T.copy(), "w"),
        numpy_helper.from_array(head.bias.detach().numpy(), "b"),
    ]
    nodes = [helper.make_node("Flatten", ["x"], ["f"], axis=1), helper.make_node("Gemm", ["f", "w", "b"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", CONTEXT, DIM])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", DIM])],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content


_FORMATS: dict[str, Callable[[], bytes]] = {".pt": _torchscript, ".pt2": _exported, ".onnx": _onnx}
