"""The record of training data in a checkpoint: tensors, read with suspicion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.leaks.record import Part, TrainingRecord
from lvm_gates.harness.leaks.signatures import BYTES

# Field of a checkpoint that holds the record.
FIELD = "train_fingerprints"
VERSION = 1
# Larger records are refused unread: 100 MB of signatures, of ten million chunks.
MOST_CHUNKS = 10_000_000
# Corpora that one network was trained on, one after another.
MOST_PARTS = 64


def record_fields(record: TrainingRecord) -> dict[str, Any]:
    """A record as a checkpoint holds it: tensors and plain values."""
    parts = [
        {
            "mean": torch.from_numpy(part.mean.astype(np.float16)),
            "signatures": torch.from_numpy(part.signatures),
            "lengths": torch.from_numpy(part.lengths.astype(np.int32)),
        }
        for part in record.parts
    ]
    return {"version": VERSION, "complete": record.complete, "parts": parts}


def read_training_record(where: str, value: Any, dim: int) -> TrainingRecord | None:
    """The record in a checkpoint, None where there is none.

    Args:
        where: the file, for messages.
        value: of the field `FIELD`.
        dim: D of the network.

    Raises:
        UserError: it is there and damaged, of another version, or larger than `MOST_CHUNKS`.
    """
    if value is None:
        return None
    found = value.get("version") if isinstance(value, Mapping) else type(value).__name__
    # A tensor compares to another tensor, which is neither true nor false.
    if not isinstance(value, Mapping) or not isinstance(found, int) or found != VERSION:
        raise _refused(where, f"is of version {brief(repr(found))}, not {VERSION}")
    parts = value.get("parts")
    if not isinstance(parts, list) or not 1 <= len(parts) <= MOST_PARTS:
        raise _refused(where, f"does not hold 1 to {MOST_PARTS} parts")
    read = tuple(_part(where, part, dim) for part in parts)
    if sum(len(part.signatures) for part in read) > MOST_CHUNKS:
        raise _refused(where, f"has more than {MOST_CHUNKS:,} chunks")
    return TrainingRecord(read, value.get("complete") is True)


def _part(where: str, value: Any, dim: int) -> Part:
    given = value if isinstance(value, Mapping) else {}
    signatures = _array(where, given, "signatures", torch.uint8, (MOST_CHUNKS, BYTES))
    lengths = _array(where, given, "lengths", torch.int32, (MOST_CHUNKS,)).astype(np.int64)
    mean = _array(where, given, "mean", torch.float16, (dim,)).astype(np.float32)
    if len(mean) != dim or not np.isfinite(mean).all():
        raise _refused(where, f"has no mean of {dim} finite numbers")
    if (lengths < 1).any() or lengths.sum() != len(signatures) or signatures.shape[1] != BYTES:
        raise _refused(where, "has runs that do not add up to its chunks")
    return Part(mean, signatures, lengths)


def _array(where: str, given: Mapping[Any, Any], name: str, dtype: torch.dtype, most: tuple[int, ...]) -> np.ndarray:
    """A tensor as an array, once it is known to be no larger than it should, and not to be larger than its storage."""
    tensor = given.get(name)
    if (
        not isinstance(tensor, Tensor)
        or tensor.dtype != dtype
        or tensor.layout != torch.strided
        or tensor.device.type != "cpu"
        or tensor.ndim != len(most)
        or any(size > limit for size, limit in zip(tensor.shape, most, strict=True))
        or not tensor.is_contiguous()
        or tensor.requires_grad
    ):
        raise _refused(where, f"has {name} of the wrong type or size")
    return np.asarray(tensor.numpy())


def _refused(where: str, why: str) -> UserError:
    return UserError(
        f"{where}: its record of the training data ({FIELD}) {why}; train again, or remove the field to have the model "
        "judged as one without a record."
    )
