"""Samples that are damaged, or of other types and shapes than those that were written."""

import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ci.fuzzing.cases import Planted, Rng, damaged, flipped, zip_of
from ci.fuzzing.npz_files import npy
from ci.fuzzing.report_files import Made, model_of, reports, undamaged_samples
from lvm_gates.harness.results.paired import Sampled


def _archive_of(arrays: dict[str, Any], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    return zip_of([(f"{key}.npy", npy(value)) for key, value in arrays.items()], packing)


def anywhere(name: str, rng: Rng, marker: Path) -> Made:
    said, content = damaged((reports() / name / "samples.npz").read_bytes(), rng)
    return said, "same", content


def body(name: str, rng: Rng, marker: Path) -> Made:
    arrays = undamaged_samples(name)
    content, key = _archive_of(arrays, zipfile.ZIP_STORED), f"VAL/{model_of(name)}/cosine"
    begin = content.find(arrays[key].tobytes())
    return f"flip in {key}", "refuse", flipped(content, begin, begin + arrays[key].nbytes, rng)


def values(name: str, rng: Rng, marker: Path) -> Made:
    arrays = dict(undamaged_samples(name))
    key = str(rng.choice([k for k in arrays if f"/{model_of(name)}/" in k or k.count("/") == 1]))
    old = arrays[key]
    flat = np.asarray(old, dtype=float)
    objects = np.empty(old.shape, dtype=object)
    objects.fill(Planted(marker))
    made: dict[str, Any] = {
        "text": lambda: old.astype("U8"),
        "complex": lambda: flat.astype(complex),
        "one axis less": lambda: old.ravel(),
        "one axis more": lambda: old[None],
        "no axis": lambda: np.float64(1),
        "no rows": lambda: old[:0],
        "a row less": lambda: old[:-1],
        "no columns": lambda: old.reshape(len(old), -1)[:, :0],
        "one column": lambda: flat.reshape(len(old), -1)[:, :1],
        "200 columns": lambda: np.resize(flat, (len(old), 200)),
        "NaN": lambda: np.full_like(flat, np.nan),
        "infinity": lambda: np.full_like(flat, np.inf),
        "1e300": lambda: np.full_like(flat, 1e300),
        "-7": lambda: np.full_like(flat, -7),
        "zeros": lambda: np.zeros_like(old),
        "whole numbers": lambda: np.ones(old.shape, dtype=np.int64),
        "unsigned": lambda: np.full(old.shape, 2**64 - 1, dtype=np.uint64),
        "dates": lambda: flat.astype("M8[s]"),
        "float16": lambda: flat.astype(np.float16),
        "planted": lambda: objects,
        "gone": lambda: None,
    }
    kind = str(rng.choice(list(made)))
    arrays[key] = made[kind]()
    if arrays[key] is None:
        del arrays[key]
    expected = "refuse" if kind in ("text", "complex", "a row less", "planted", "infinity", "1e300", "dates") else "any"
    if kind in ("infinity", "1e300") and not key.endswith(("cosine", "offset", "ablation", "rollout")):
        expected = "any"
    if key.rpartition("/")[2] not in {field.name for field in fields(Sampled)}:
        expected = "any"  # read by no command
    return f"{key} is {kind}", expected, _archive_of(arrays)


def bomb(name: str, rng: Rng, marker: Path) -> Made:
    """Columns of zeros that unpack to gigabytes, one or all of them."""
    arrays = undamaged_samples(name)
    rows = 50_000_000
    member = npy(np.zeros(1), shape=f"({rows},)", descr="'<f8'")[:-8]
    key = f"VAL/{model_of(name)}/cosine"
    if rng.random() < 0.7:
        member, rows = npy(np.zeros(1), shape="(2000000,)")[:-8], 2_000_000
    content = zip_of([(f"{k}.npy", member + bytes(8 * rows) if k == key else npy(v)) for k, v in arrays.items()], 8)
    return f"{key} of {8 * rows >> 20} MB", "refuse", content
