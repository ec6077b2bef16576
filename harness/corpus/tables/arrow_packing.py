"""How much the packed buffers of an Arrow file say they hold, looked up before pyarrow reserves the memory for them.

The metadata of a message is a flatbuffer (Arrow's Message.fbs): of a record batch it lists the buffers, each of which
begins with the size that it has unpacked. Nothing is unpacked here.
"""

import struct
from typing import Any

import pyarrow as pa

from lvm_gates.harness.files.npz_file import BOMB_RATIO, BOMB_SIZE

_HEADER, _BUFFERS, _COMPRESSION, _DICTIONARY_DATA = 2, 2, 3, 1


def refuse_bomb(stream: Any) -> None:
    """Check every message of a stream, from where it stands.

    Raises:
        Exception: any kind, since a parser of hostile bytes may raise anything; a ValueError where buffers say that
            they hold a hundred times what they take.
    """
    for message in pa.ipc.MessageReader.open_stream(stream):
        if message.type in ("record batch", "dictionary") and message.body is not None:
            said = _unpacked(message.metadata.to_pybytes(), message.body, message.type == "dictionary")
            if said > max(BOMB_SIZE, BOMB_RATIO * message.body.size):
                raise ValueError(f"{message.body.size >> 10} KB unpack to {said >> 20} MB")


def _unpacked(metadata: bytes, body: Any, dictionary: bool) -> int:
    table = _field(metadata, _table(metadata, 0), _HEADER)
    header = None if table is None else _table(metadata, table)
    if header is not None and dictionary:
        data = _field(metadata, header, _DICTIONARY_DATA)
        header = None if data is None else _table(metadata, data)
    if header is None or _field(metadata, header, _COMPRESSION) is None:
        return 0
    at = _field(metadata, header, _BUFFERS)
    if at is None:
        return 0
    at = _table(metadata, at)
    total = 0
    for i in range(_number("<I", metadata, at)):
        offset, length = struct.unpack_from("<qq", metadata, at + 4 + 16 * i)
        if length < 8:
            continue
        if not 0 <= offset <= body.size - length:
            raise ValueError("a buffer lies outside its message")
        said = _number("<q", body.slice(offset, 8).to_pybytes(), 0)
        if said < -1:
            raise ValueError("a buffer has a negative size")
        total += length if said == -1 else said
    return total


def _table(data: bytes, at: int) -> int:
    """Where the offset at a place leads."""
    return at + _number("<I", data, at)


def _field(data: bytes, table: int, index: int) -> int | None:
    """Where a field of a table lies; None where it is left out."""
    vtable = table - _number("<i", data, table)
    if 4 + 2 * index >= _number("<H", data, vtable):
        return None
    offset = _number("<H", data, vtable + 4 + 2 * index)
    return table + offset if offset else None


def _number(code: str, data: bytes, at: int) -> int:
    if at < 0:
        raise ValueError("an offset leads out of the message")
    return int(struct.unpack_from(code, data, at)[0])
