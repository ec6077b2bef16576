"""Measurements written, and read back from either kind of file: ours, and that of ``pytest --benchmark-json``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lvm_gates.harness.base.atomic import write_json
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.evaluation.resolve_model import is_python
from lvm_gates.harness.files.json_file import read_json
from lvm_gates.harness.latency.records import VERSION, Latency, LatencyFile

KEY = "latency"
"""Of a measurement in pytest-benchmark's ``extra_info``."""
_LARGEST = 64 << 20
_ADVICE = "measure again with `lvm-report bench MODEL --json=FILE` or `pytest benchmarks/ --model=MODEL`"


def write_latency(path: Path, found: Sequence[Latency]) -> None:
    """Write measurements.

    Raises:
        OSError: it cannot be written.
    """
    write_json(path, jsonable(LatencyFile(VERSION, list(found))))


def is_latency_file(name: str) -> bool:
    """Whether an argument is meant as measurements rather than as a model: no model is called ``.json``."""
    return name.lower().endswith(".json") and not is_python(name)


def read_latency(path: Path) -> list[Latency]:
    """Read measurements, one a batch size.

    Raises:
        UserError: there is no such file, or none of measurements, or it holds several of one batch size.
    """
    try:
        stored = read_json(path, _LARGEST)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({brief(error)}); {_ADVICE}.") from error
    try:
        found = msgspec.convert(_measurements(stored), list[Latency])
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: a measurement in it is damaged ({brief(error)}); {_ADVICE}.") from error
    if not found:
        raise UserError(f"{path}: holds no latency of a model; {_ADVICE}.")
    batches = [one.batch for one in found]
    names = sorted({one.candidate.name for one in found})
    if len(names) > 1:
        raise UserError(f"{path}: holds {len(names)} models ({', '.join(names)}); measure each to a file of its own.")
    if len(set(batches)) < len(batches):
        raise UserError(f"{path}: holds a batch size twice; {_ADVICE}.")
    return found


def _measurements(stored: Any) -> list[Any]:
    if not isinstance(stored, dict):
        return []
    if stored.get("latency_version") == VERSION and isinstance(stored.get("latency"), list):
        return list(stored["latency"])
    benchmarks = stored.get("benchmarks")
    infos = (
        [one.get("extra_info") for one in benchmarks if isinstance(one, dict)] if isinstance(benchmarks, list) else []
    )
    return [info[KEY] for info in infos if isinstance(info, dict) and KEY in info]
