"""The files beside an ONNX model that hold its weights, found by walking its Protocol Buffers message.

A model is what its weights are, so they are part of what was released; and a model that names a file elsewhere would
have that file read.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from lvm_gates.harness.base.paths import is_file

# Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.external_data, and of its entries.
_GRAPH, _INITIALIZER, _EXTERNAL, _KEY, _VALUE = 7, 5, 13, 1, 2
_VARINT, _EIGHT, _SIZED, _FOUR = 0, 1, 2, 5


def external_files(path: Path) -> tuple[Path, ...]:
    """Files that the weights lie in, by name.

    Raises:
        ValueError: the file is no such message, or names a file that does not lie beside it.
    """
    found: dict[str, Path] = {}
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for graph in _fields(data, (0, len(data)), _GRAPH):
            for tensor in _fields(data, graph, _INITIALIZER):
                for entry in _fields(data, tensor, _EXTERNAL):
                    key, value = (b"".join(data[a:b] for a, b in _fields(data, entry, n)) for n in (_KEY, _VALUE))
                    if key == b"location" and (name := value.decode()) not in found:
                        beside = path.parent / name
                        if Path(name).name != name or not is_file(beside) or beside.is_symlink():
                            raise ValueError(f"its weights are said to lie in {name!r}, which is no file beside it")
                        found[name] = beside
    return tuple(found[name] for name in sorted(found))


def _fields(data: mmap.mmap, part: tuple[int, int], wanted: int) -> Iterator[tuple[int, int]]:
    """Where the sized fields of one number lie."""
    at, end = part
    while at < end:
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind in (_EIGHT, _FOUR):
            at += 8 if kind == _EIGHT else 4
        elif kind == _SIZED:
            size, at = _varint(data, at, end)
            if at + size > end:
                raise ValueError("a field is longer than the message")
            if number == wanted:
                yield at, at + size
            at += size
        else:
            raise ValueError("it is no Protocol Buffers message")


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a number does not end")
