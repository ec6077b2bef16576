"""Columns of Arrow batches as what a corpus is made of; a row that does not fit is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from lvm_gates.harness.base.errors import brief
from lvm_gates.harness.corpus.tables.columns import Kind

Named = Callable[[int], str]


class BadRowError(ValueError):
    """A row that does not fit; the text begins with its name and ends in what to do."""


def kind_of(type_: Any) -> Kind:
    """What a column of an Arrow type can be."""
    type_ = _plain(type_)
    if _is_list(type_):
        inner = _plain(type_.value_type)
        if pa.types.is_floating(inner):
            return "vector"
        if _is_text(inner):
            return "texts"
        return "vectors" if _is_list(inner) and pa.types.is_floating(_plain(inner.value_type)) else "other"
    if pa.types.is_integer(type_):
        return "whole"
    if pa.types.is_floating(type_):
        return "number"
    return "text" if _is_text(type_) else "other"


def vectors(column: Any, named: Named) -> Float[np.ndarray, "b d"]:
    """A column of lists of floats; all have one width."""
    column = plain(column)
    _no_nulls(column, named, "holds no vector", "embed that chunk or drop the row")
    widths = lengths(column)
    if len(widths) == 0:
        return np.empty((0, 0), dtype=np.float32)
    odd = np.flatnonzero(widths != widths[0])
    if len(odd):
        at = int(odd[0])
        raise BadRowError(
            f"{named(at)} holds a vector of {widths[at]} dimensions where {named(0)} has {widths[0]}; use one encoder "
            "for all."
        )
    values = plain(column.flatten())
    if values.null_count and widths[0]:
        at = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) // int(widths[0])
        raise BadRowError(f"{named(at)} holds a vector with a missing number; embed that chunk again or drop the row.")
    found = values.to_numpy(zero_copy_only=False)
    return np.asarray(found).reshape(len(widths), -1 if widths[0] else 0)


def lengths(column: Any) -> Int[np.ndarray, " b"]:
    """Items of each list of a column without nulls."""
    return np.asarray(pc.list_value_length(column).to_numpy(zero_copy_only=False), dtype=np.int64)


def whole(column: Any, named: Named, what: str) -> Int[np.ndarray, " b"]:
    """A column of whole numbers, which pandas turns into floats where one is missing."""
    column = plain(column)
    _no_nulls(column, named, f"has no {what}", "fill it in or drop the row")
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.dtype.kind == "f":
        odd = ~np.isfinite(values) | (np.floor(values) != values) | (np.abs(values) >= 2.0**53)
    else:
        odd = values > np.uint64(2**63 - 1) if values.dtype.kind == "u" else np.zeros(len(values), dtype=bool)
    if odd.any():
        at = int(np.argmax(odd))
        raise BadRowError(
            f"{named(at)} has {brief(values[at])} for its {what}, which is no whole number below 2**63; number again."
        )
    return values.astype(np.int64)


def ids(column: Any, named: Named) -> Int[np.ndarray, " b"] | list[str]:
    """A column of article ids."""
    column = plain(column)
    if not _is_text(column.type):
        return whole(column, named, "article id")
    _no_nulls(column, named, "has no article id", "fill it in or drop the row")
    return [str(one) for one in column.to_pylist()]


def texts(column: Any) -> list[str]:
    """A column of texts; a missing one is an empty one."""
    return ["" if one is None else str(one) for one in plain(column).to_pylist()]


def plain(column: Any) -> Any:
    """An array without extension types, dictionaries and run lengths."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    while True:
        if isinstance(column.type, pa.BaseExtensionType):
            column = column.storage
        elif pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        elif pa.types.is_run_end_encoded(column.type):
            column = pc.run_end_decode(column)
        else:
            return column


def _plain(type_: Any) -> Any:
    while True:
        if isinstance(type_, pa.BaseExtensionType):
            type_ = type_.storage_type
        elif pa.types.is_dictionary(type_) or pa.types.is_run_end_encoded(type_):
            type_ = type_.value_type
        else:
            return type_


def _is_list(type_: Any) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def _is_text(type_: Any) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def _no_nulls(column: Any, named: Named, fault: str, remedy: str) -> None:
    if column.null_count:
        at = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise BadRowError(f"{named(at)} {fault}; {remedy}.")
