"""The columns of ``samples.npz``, each held to its type, shape and range before anything is computed from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.perturbations import ablation_names
from lvm_gates.harness.files.npz_file import NpzFile
from lvm_gates.harness.results.paired import Sampled

# A column of 584,545 windows takes 33 MB at seven offsets, the widest there is; zeros pack a thousandfold.
_LARGEST = 256 << 20
# Cosines of float64 unit vectors leave [-1, 1] by 1e-15.
_SLACK = 1e-6


class _Column(NamedTuple):
    """What a column holds: kinds of numpy, columns (0 is one axis), fewest where their number varies, and range."""

    kinds: str
    wide: int | None = 0
    fewest: int = 1
    low: float = -np.inf
    high: float = np.inf


_COSINE = 1 + _SLACK
_COLUMNS = {
    "article": _Column("iu"),
    "chunk": _Column("iu"),
    "cosine": _Column("f", low=-_COSINE, high=_COSINE),
    "offset": _Column("f", len(OFFSETS), low=-_COSINE, high=_COSINE),
    "offset_exists": _Column("b"),
    "rank": _Column("f", len(POOLS), low=1.0),
    "pool_size": _Column("iu", len(POOLS), low=0.0),
    "ablation": _Column("f", None, fewest=len(ablation_names(1)), low=-2 * _COSINE, high=2 * _COSINE),
    "rollout": _Column("f", None, low=-_COSINE, high=_COSINE),
    "rollout_exists": _Column("b"),
    "leaked": _Column("b"),
}


def member_name(split: str, name: str, field: str) -> str:
    """Where ``samples.npz`` keeps a field of a model: ``SPLIT/NAME/FIELD``.

    A name may be a path: parts that would lead out of a folder into which somebody unpacks the file, and letters that
    no member's name can hold, are written as in a URL, as is the per cent sign.
    """
    quoted = "".join(
        letter if letter.isprintable() and letter not in "%\\" else quote(letter, safe="", errors="surrogatepass")
        for letter in name
    )
    parts = ["%2E" * len(part) if part and not part.strip(".") else part for part in quoted.split("/")]
    return "/".join((split, *parts, field))


def read_columns(file: Path, keys: Mapping[str, str]) -> Sampled:
    """Read the columns of one model on one split.

    Args:
        file: ``samples.npz``.
        keys: field of `Sampled` -> member of the file.

    Raises:
        UserError: a member is missing, damaged, or not what the field holds.
    """
    stored = NpzFile.open(file)
    if missing := [key for key in keys.values() if key not in stored.members]:
        raise UserError(f"{file}: does not hold {brief(missing[0])}; it belongs to another report, gate again.")
    members = stored.read(list(keys.values()), _LARGEST)
    values = {field: members[key] for field, key in keys.items()}
    if len({column.shape[:1] for column in values.values()}) != 1:
        one = brief(keys["cosine"].removesuffix("/cosine"))
        raise UserError(f"{file}: the columns of {one} differ in length; gate the model again.")
    for field, key in keys.items():
        if fault := _fault(values[field], _COLUMNS[field]):
            raise UserError(f"{file}: {brief(key)} {fault}; gate the model again.")
    return Sampled(**values)


def _fault(values: np.ndarray, column: _Column) -> str:
    """What is wrong with a column, as a clause; "" where nothing is."""
    axes = 1 if column.wide == 0 else 2
    width = values.shape[1] if values.ndim == 2 else 0
    if values.ndim != axes or values.dtype.kind not in column.kinds or (column.wide and width != column.wide):
        return f"holds {values.dtype} of shape {values.shape}, which is not what that column has"
    if column.wide is None and width < column.fewest:
        return f"has {width} columns and needs {column.fewest}"
    if column.kinds == "b" or not values.size:
        return ""
    if values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max:
        return "holds numbers beyond 2**63"
    with np.errstate(invalid="ignore"):
        if (values < column.low).any() or (values > column.high).any():
            return f"holds numbers outside {column.low:.3g} to {column.high:.3g}"
    return "" if values.dtype.kind != "f" or not np.isinf(values).any() else "holds infinity"
