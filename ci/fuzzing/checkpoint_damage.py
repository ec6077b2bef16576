"""Checkpoints that are damaged, or whose archive or pickle says what torch would not."""

import io
import pickle
import struct
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ci.fuzzing.cases import Planted, Rng, damaged, directory_entries, flipped, with_field, zip_of
from ci.fuzzing.checkpoint_files import Made, record_of, saved
from ci.fuzzing.pickles import HARMLESS, PLACEHOLDER, PROGRAMS


def anywhere(model_type: str, rng: Rng, marker: Path) -> Made:
    name, content = damaged(saved(record_of(model_type)), rng)
    return name, "same", content


def in_the_weights(model_type: str, rng: Rng, marker: Path) -> Made:
    content = saved(record_of(model_type))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = [info for info in archive.infolist() if "/data/" in info.filename]
    chosen = infos[int(rng.integers(len(infos)))]
    begin = chosen.header_offset + 30 + sum(struct.unpack_from("<HH", content, chosen.header_offset + 26))
    return "flip in the weights", "refuse", flipped(content, begin, begin + chosen.file_size, rng)


def in_the_pickle(model_type: str, rng: Rng, marker: Path) -> Made:
    """A bit of the metadata turned over and, in half of them, the checksum made to agree with it."""
    content = saved(record_of(model_type))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        program = archive.read(archive.namelist()[0])
        members = [(name, archive.read(name)) for name in archive.namelist()]
    if rng.random() < 0.5:
        begin = content.find(program)
        return "flip in the pickle", "refuse", flipped(content, begin, begin + len(program), rng)
    name, changed = damaged(program, rng)
    return f"pickle with a checksum, {name}", "any", zip_of([(members[0][0], changed), *members[1:]])


def old_format(model_type: str, rng: Rng, marker: Path) -> Made:
    """The format before PyTorch 1.6, which has no checksum: what is turned over in its numbers, nobody can see."""
    name, content = damaged(saved(record_of(model_type), zipped=False), rng)
    return f"old format, {name}", "any", content


def archive(model_type: str, rng: Rng, marker: Path) -> Made:
    content = saved(record_of(model_type))
    entries = directory_entries(content)
    member = int(rng.integers(len(entries)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    kind = str(rng.choice(["field", "deflated", "missing", "twice", "renamed", "longer", "shorter", "another folder"]))
    if kind == "field":
        field = str(rng.choice(["flags", "method", "crc", "compressed size", "size", "header offset"]))
        value = int(rng.choice([0, 1, 8, 12, 99, 0xFFFF, int(rng.integers(60_000))]))
        return f"{field} {value}", "same", with_field(content, member, field, value)
    if kind == "deflated":
        return kind, "same", zip_of(members, zipfile.ZIP_DEFLATED)
    name, body = members[member]
    inner = name.partition("/")[2]
    matters = inner.startswith("data")
    if kind == "twice":
        return f"{name} twice", "refuse", zip_of([*members, (name, bytes(len(body)))])
    kept = {
        "missing": [],
        "renamed": [(name[:-1] + "~", body)],
        "longer": [(name, body + b"\0" * 8)],
        "shorter": [(name, body[:-4])],
        "another folder": [("x/" + name, body)],
    }[kind]
    expected = "refuse" if matters and inner != "data.pkl" else "any"
    return f"{name} {kind}", expected, zip_of([*members[:member], *kept, *members[member + 1 :]])


def program(model_type: str, rng: Rng, marker: Path) -> Made:
    """Instructions that no `torch.save` writes, where a value is expected."""
    kind = str(rng.choice(list(PROGRAMS)))
    where = str(rng.choice(["beside", "args", "hashes", "corpus", "training_state", "weights", "model_config"]))
    record = dict(record_of(model_type))
    if where == "beside":
        record["note"] = PLACEHOLDER
    elif where == "hashes":
        record["train_article_hashes"] = [PLACEHOLDER]
    elif where == "weights":
        record["model_state_dict"] = {**record["model_state_dict"], "extra": PLACEHOLDER}
    else:
        key = where
        record[key] = {**(record[key] or {}), "x": PLACEHOLDER}
    content = saved(record)
    spelled = b"X" + struct.pack("<I", len(PLACEHOLDER)) + PLACEHOLDER.encode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    program = PROGRAMS[kind](marker)
    expected = "any" if kind in HARMLESS and where != "weights" else "refuse"
    if rng.random() < 0.15:
        old = saved(record, zipped=False)
        return f"{where}, old format: {kind}", expected, old.replace(spelled, program)
    changed = [(name, body.replace(spelled, program)) for name, body in members]
    return f"{where}: {kind}", expected, zip_of(changed)


def no_checkpoint(model_type: str, rng: Rng, marker: Path) -> Made:
    made: dict[str, Any] = {
        "noise": lambda: rng.bytes(300),
        "empty": lambda: b"",
        "text": lambda: b"hello\n" * 10,
        "a list": lambda: saved([1, 2]),
        "a tensor": lambda: saved(torch.ones(3)),
        "nothing": lambda: saved({}),
        "a pickle": lambda: pickle.dumps({"a": 1}, protocol=int(rng.integers(0, 6))),
        "a planted pickle": lambda: pickle.dumps(Planted(marker), protocol=int(rng.integers(0, 6))),
        "planted": lambda: saved(Planted(marker), zipped=bool(rng.random() < 0.5)),
        "an NPZ": lambda: zip_of([("a.npy", b"")]),
        "a zip of nothing": lambda: zip_of([]),
        "data.pkl alone": lambda: zip_of([("x/data.pkl", pickle.dumps({"a": 1}, protocol=2))]),
        "weights alone": lambda: saved(record_of(model_type)["model_state_dict"]),
        "no name": lambda: saved({key: value for key, value in record_of(model_type).items() if key != "model_type"}),
        "a script": lambda: _script(),
    }
    kind = str(rng.choice(list(made)))
    return kind, "refuse", made[kind]()


@cache
def _script() -> bytes:
    content = saved({})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    root = members[0][0].partition("/")[0]
    return zip_of([*members, (f"{root}/constants.pkl", members[0][1]), (f"{root}/code/x.py", b"import os")])
