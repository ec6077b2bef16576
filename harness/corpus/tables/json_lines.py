"""Vectors in JSON lines, packed by gzip or not: a chunk a line, or an article a line with lists."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.corpus.tables.columns import ColumnNames, Columns, Kind, find_columns
from lvm_gates.harness.corpus.tables.table import BLOCK_ROWS, Block, Table

# An article of 2,000 chunks at 1,024 dimensions takes 40 MB; a file without a line end must not fill the memory.
_LONGEST = 256 << 20


def json_kinds(path: Path) -> dict[str, Kind]:
    """What each field of the first line can be; none for an empty file.

    Raises:
        UserError: the file or the line cannot be read.
    """
    _, record = next(records(path), (0, {}))
    return kinds_of(record)


def kinds_of(record: Mapping[str, Any]) -> dict[str, Kind]:
    """What each field of a line can be."""
    return {name: _kind(value) for name, value in record.items()}


def json_table(path: Path, asked: ColumnNames) -> Table:
    """The table in a file of JSON lines; the first line says what fields there are.

    Raises:
        UserError: a file that cannot be read, or fields that cannot be told apart.
    """
    columns = find_columns(path, json_kinds(path), asked)
    return Table(path, "JSON lines", columns.names, lambda: _blocks(path, columns))


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and content of every line that is not blank.

    Raises:
        UserError: the file cannot be read, or a line is no JSON object.
    """
    for number, found in json_values(path):
        if not isinstance(found, dict):
            raise UserError(f"{path}, line {number}: is no JSON object; put one on each line.")
        yield number, found


def json_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Number and content of every line that is not blank, whatever JSON it is.

    Raises:
        UserError: the file cannot be read, or a line is no JSON.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            number = 0
            while line := stream.readline(_LONGEST):
                number += 1
                if len(line) == _LONGEST:
                    raise UserError(f"{path}, line {number}: has more than {_LONGEST >> 20} MB; put less on a line.")
                if line.strip():
                    yield number, _value(line, f"{path}, line {number}")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({brief(error)}); copy it again.") from error


def _value(line: bytes, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: is no JSON ({brief(error)}); put one JSON object on each line.") from error


def _kind(value: Any) -> Kind:
    if isinstance(value, list) and value:
        if all(type(one) in (int, float) for one in value):
            return "vector"
        if all(isinstance(one, str) for one in value):
            return "texts"
        return "vectors" if all(_kind(one) == "vector" for one in value) else "other"
    plain: Mapping[type, Kind] = {int: "whole", float: "number", str: "text"}
    return plain.get(type(value), "other")


def _blocks(path: Path, columns: Columns) -> Iterator[Block]:
    lines: list[tuple[int, dict[str, Any]]] = []
    for number, record in records(path):
        where = f"{path}, line {number}"
        for name in columns.names.values():
            if name not in record and name != columns.text:
                raise UserError(f"{where}: has no field {brief(repr(name))}, which the first line has; add it.")
        if columns.nested:
            yield from _article(where, number, record, columns)
            continue
        lines.append((number, record))
        if len(lines) == BLOCK_ROWS:
            yield _chunks(path, lines, columns)
            lines = []
    if lines:
        yield _chunks(path, lines, columns)


def _chunks(path: Path, lines: list[tuple[int, dict[str, Any]]], columns: Columns) -> Block:
    numbers = [number for number, _ in lines]
    parts = [_vector(record[columns.vector], f"{path}, line {number}", columns.vector) for number, record in lines]
    odd = next((i for i, part in enumerate(parts) if len(part) != len(parts[0])), None)
    if odd is not None:
        raise UserError(
            f"{path}, line {numbers[odd]}: {columns.vector!r} has {len(parts[odd])} dimensions where line {numbers[0]} "
            f"has {len(parts[0])}; use one encoder for all."
        )
    article = columns.article or ""
    chunk = columns.chunk
    return Block(
        vectors=np.stack(parts),
        articles=ids_of([(f"{path}, line {number}", record[article]) for number, record in lines], article),
        chunks=None
        if chunk is None
        else np.array([whole_of(record[chunk], f"{path}, line {number}", chunk) for number, record in lines]),
        texts=None
        if columns.text is None
        else [text_of(record.get(columns.text), f"{path}, line {number}", columns.text) for number, record in lines],
        where=lambda row: f"line {numbers[row]}, field {columns.vector!r}",
    )


def _article(where: str, number: int, record: dict[str, Any], columns: Columns) -> Iterator[Block]:
    values = record[columns.vector]
    if not isinstance(values, list):
        raise UserError(f"{where}: {columns.vector!r} is no list of vectors; write [[...], [...]].")
    if not values:
        return
    parts = [_vector(value, where, columns.vector) for value in values]
    if len({len(part) for part in parts}) > 1:
        raise UserError(f"{where}: {columns.vector!r} holds vectors of several widths; use one encoder for all.")
    texts = None
    if columns.text is not None:
        given = record.get(columns.text)
        if not isinstance(given, list) or len(given) != len(parts):
            raise UserError(
                f"{where}: {columns.text!r} holds {len(given) if isinstance(given, list) else 'no'} texts and "
                f"{columns.vector!r} {len(parts)} vectors; give one for each, or name another --text-column."
            )
        texts = [text_of(one, where, columns.text) for one in given]
    article = number if columns.article is None else record[columns.article]
    ids = ids_of([(where, article)], columns.article or "")
    yield Block(
        vectors=np.stack(parts),
        articles=ids * len(parts) if isinstance(ids, list) else np.repeat(ids, len(parts)),
        chunks=np.arange(len(parts)),
        texts=texts,
        where=lambda row: f"line {number}, field {columns.vector!r}, item {row}",
    )


def _vector(value: Any, where: str, name: str) -> Float[np.ndarray, " d"]:
    if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
        raise UserError(f"{where}: {name!r} is no list of numbers; embed that chunk or drop the line.")
    try:
        return np.array(value, dtype=np.float64)
    except OverflowError as error:
        raise UserError(f"{where}: {name!r} holds a number beyond 1e308; embed that chunk again.") from error


def ids_of(values: list[tuple[str, Any]], name: str) -> Any:
    """Texts, or whole numbers; one kind for all lines.

    Args:
        values: where each stands, and what it is; at least one.
        name: of the field.

    Raises:
        UserError: one that is neither, or of another kind than the first.
    """
    text = isinstance(values[0][1], str)
    for where, value in values:
        if isinstance(value, str) is not text:
            raise UserError(
                f"{where}: {name!r} is {brief(json.dumps(value))} where other lines have "
                f"{'text' if text else 'numbers'}; write all ids alike."
            )
    return [value for _, value in values] if text else np.array([whole_of(value, w, name) for w, value in values])


def whole_of(value: Any, where: str, name: str) -> int:
    """A whole number of 64 bits.

    Raises:
        UserError: it is none.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise UserError(f"{where}: {name!r} is {brief(json.dumps(value))}; it must be a whole number below 2**63.")
    return value


def text_of(value: Any, where: str, name: str) -> str:
    """A text; none is an empty one.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(value, str | None):
        raise UserError(f"{where}: {name!r} is no text; name another --text-column.")
    return value or ""
