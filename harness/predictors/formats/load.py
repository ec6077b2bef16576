"""A graph in a file as a named predictor, with the digests of all files that it is made of."""

import hashlib
from pathlib import Path

from lvm_gates.harness.base.device import resolve_device
from lvm_gates.harness.predictors.formats.kind import Kind
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_graph(spec: str, path: Path, kind: Kind, device: str) -> NamedPredictor:
    """Read a graph.

    Args:
        spec: as given to ``--model``.
        path: of the file.
        kind: of the file.
        device: cpu, cuda, cuda:N or mps; ONNX runs on the CPU.

    Raises:
        UserError: it cannot be read, or would run more than a graph.
    """
    where = resolve_device(device)
    if kind == "onnx":
        from lvm_gates.harness.predictors.formats.onnx_model import load_onnx

        graph, how = load_onnx(path), "ONNX"
    elif kind == "exported":
        from lvm_gates.harness.predictors.formats.exported import load_exported

        graph, how = load_exported(path, where), "torch.export"
    else:
        from lvm_gates.harness.predictors.formats.torchscript import load_torchscript

        graph, how = load_torchscript(path, where), "TorchScript"
    return NamedPredictor(
        Identity(
            spec,
            digest(path),
            {"format": how},
            graph.assumed,
            tuple((one.name, digest(one)) for one in graph.files),
        ),
        graph.predictor(spec),
        context=graph.context,
        dim=graph.dim,
    )
