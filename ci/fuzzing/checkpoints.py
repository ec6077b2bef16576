"""Damaged and hostile checkpoints."""

import hashlib
import io
import json
import pickle
import struct
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ci.fuzzing.cases import Case, Planted, Rng, damaged, directory_entries, flipped, with_field, zip_of
from ci.fuzzing.pickles import HARMLESS, PLACEHOLDER, PROGRAMS
from models.registry import build

DIM, CONTEXT = 8, 3
NETWORKS: dict[str, dict[str, Any]] = {
    "transformer": {"width": 16, "depth": 1, "heads": 2},
    "gru": {"width": 16, "depth": 1},
    "residual": {"width": 16, "depth": 1, "heads": 2, "base": "transformer", "normalise_delta": True},
}
CONTEXTS = np.random.default_rng(0).standard_normal((4, CONTEXT, DIM)).astype(np.float32)


@cache
def record_of(model_type: str) -> dict[str, Any]:
    """An undamaged checkpoint of ours."""
    torch.manual_seed(0)
    config = {"input_dim": DIM + 1, "output_dim": DIM, **NETWORKS[model_type]}
    return {
        "epoch": 1,
        "model_type": model_type,
        "model_state_dict": build(model_type, **config).state_dict(),
        "optimizer_state_dict": {},
        "val_loss": 0.5,
        "val_cosine": 0.25,
        "model_config": config,
        "args": {"position_scale": 0.03, "lr": 5e-4},
        "format_version": 1,
        "context": CONTEXT,
        "dim": DIM,
        "recipe": "p5",
        "corpus": {"path": "somewhere", "fingerprint": "ab" * 32, "splits": "cd" * 32},
        "train_article_hashes": ["0f" * 16, "1e" * 16],
        "training_state": None,
    }


def saved(record: Any, *, zipped: bool = True) -> bytes:
    """As `torch.save` writes it."""
    out = io.BytesIO()
    torch.save(record, out, _use_new_zipfile_serialization=zipped)
    return out.getvalue()


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``."""
    model_type = list(NETWORKS)[index % len(NETWORKS)]
    name, expected, content = _MAKERS[int(rng.choice(len(_MAKERS), p=_SHARES))](model_type, rng, marker)
    path = folder / "in.pt"
    path.write_bytes(content)
    return Case(f"{model_type}: {name}", expected, lambda: read_checkpoint_file(path), _truth(model_type))


@cache
def _truth(model_type: str) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.pt"
        path.write_bytes(saved(record_of(model_type)))
        return read_checkpoint_file(path)


def read_checkpoint_file(path: Path) -> str:
    """As a gate session reads it: loaded, asked, its record looked up and put into a scorecard."""
    from harness.contamination import RECORD
    from harness.resolve_model import load_subject
    from harness.scorecard import plain

    subject = load_subject(str(path))
    provenance = subject.identity.provenance or {}
    shown = json.dumps(plain({key: value for key, value in provenance.items() if key != RECORD}), allow_nan=False)
    shown.encode()
    seen = sorted(set(provenance.get(RECORD) or []))
    corpus = provenance.get("corpus") or {}
    where = str(corpus.get("path", ""))
    assert subject.dim is not None  # noqa: S101
    frames = np.resize(CONTEXTS, (4, subject.context or CONTEXT, subject.dim))
    found = subject.predictor.predict(frames)  # type: ignore[union-attr]
    said = repr((subject.context, subject.dim, seen, where, corpus.get("fingerprint"), provenance.get("args")))
    return hashlib.sha256(found.tobytes() + said.encode("utf-8", "replace")).hexdigest()


Made = tuple[str, Any, bytes]


def _anywhere(model_type: str, rng: Rng, marker: Path) -> Made:
    name, content = damaged(saved(record_of(model_type)), rng)
    return name, "same", content


def _in_the_weights(model_type: str, rng: Rng, marker: Path) -> Made:
    content = saved(record_of(model_type))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = [info for info in archive.infolist() if "/data/" in info.filename]
    chosen = infos[int(rng.integers(len(infos)))]
    begin = chosen.header_offset + 30 + sum(struct.unpack_from("<HH", content, chosen.header_offset + 26))
    return "flip in the weights", "refuse", flipped(content, begin, begin + chosen.file_size, rng)


def _in_the_pickle(model_type: str, rng: Rng, marker: Path) -> Made:
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


def _old_format(model_type: str, rng: Rng, marker: Path) -> Made:
    """The format before PyTorch 1.6, which has no checksum: what is turned over in its numbers, nobody can see."""
    name, content = damaged(saved(record_of(model_type), zipped=False), rng)
    return f"old format, {name}", "any", content


def _archive(model_type: str, rng: Rng, marker: Path) -> Made:
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


def _program(model_type: str, rng: Rng, marker: Path) -> Made:
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


def _wrong_values(model_type: str, rng: Rng, marker: Path) -> Made:
    """A field of another type, or of a value that cannot be."""
    record = dict(record_of(model_type))
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    loop: list[Any] = []
    loop.append(loop)
    shared: list[Any] = ["x"] * 10
    for _ in range(12):
        shared = [shared] * 10
    values: dict[str, Any] = {
        "None": None, "true": True, "text": "x", "an empty text": "", "a surrogate": "\ud800", "control letters": "\x00\x1b[2J\n",
        "a long text": "y" * 1_000_000, "-1": -1, "0": 0, "2**62": 2**62, "10**400": 10**400, "NaN": float("nan"), "infinity": float("inf"),
        "1e300": 1e300, "a list": [1, "a", None], "a list of lists": [[1], [2]], "nested": deep, "a loop": loop, "shared lists": shared,
        "a dictionary": {"path": 5, "fingerprint": [1]}, "odd keys": {1: 2, None: 3, (1, 2): 4}, "a tuple": (1, 2), "a set": {1, 2},
        "bytes": b"\x00\xff" * 50, "bytearray": bytearray(5), "complex": 1j, "a tensor": torch.ones(3), "a large view": torch.zeros(1).expand(10**9),
        "a meta tensor": torch.empty(10**10, device="meta"), "a sparse tensor": torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (10**9,)),
        "a type": torch.float32, "a size": torch.Size([3]), "a device": torch.device("cpu"), "a number of numpy": np.float64(0.5), "an array": np.ones(3),
        "planted": Planted(marker), "a module": torch.nn.Linear(1, 1), "a quantised tensor": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    }  # fmt: skip
    key = str(rng.choice([k for k in record if k not in ("optimizer_state_dict", "epoch")]))
    kind = str(rng.choice(list(values)))
    value = values[kind]
    inner = {
        "args": ["position_scale"],
        "model_config": ["heads", "base", "normalise_delta", "width", "depth"],
        "corpus": ["path", "fingerprint"],
    }
    where = key
    if key in inner and rng.random() < 0.6:
        name = str(rng.choice(inner[key]))
        where, value = f"{key}.{name}", {**record[key], name: value}
    elif key == "model_state_dict" and rng.random() < 0.6:
        name = str(rng.choice(list(record[key])))
        where, value = f"{key}.{name}", {**record[key], name: value}
    record[key] = value
    expected = "refuse" if kind in ("planted", "a module", "an array") else "any"
    return f"{where} is {kind}", expected, saved(record)


def _weights(model_type: str, rng: Rng, marker: Path) -> Made:
    record = dict(record_of(model_type))
    state = dict(record["model_state_dict"])
    name = str(rng.choice(list(state)))
    old = state[name]
    expected = "refuse"
    kind = str(
        rng.choice(
            [
                "expanded",
                "expanded half",
                "overlapping",
                "half",
                "double",
                "whole",
                "bool",
                "complex",
                "float8",
                "transposed",
                "wide",
                "missing",
                "more",
                "layers",
                "tied",
                "nan",
                "parameter",
                "subclass",
                "1e38",
                "long names",
            ]
        )
    )
    if kind.startswith("expanded"):
        state[name] = torch.zeros(1, dtype=torch.half if "half" in kind else torch.float).expand(
            1 << int(rng.integers(20, 32)), 2
        )
    elif kind == "overlapping":
        state[name] = torch.zeros(4096).as_strided((2000, 2000), (1, 1))
    elif kind in ("half", "double", "whole", "bool", "complex", "float8"):
        kinds = {
            "half": torch.half,
            "double": torch.double,
            "whole": torch.int32,
            "bool": torch.bool,
            "complex": torch.cfloat,
            "float8": torch.float8_e4m3fn,
        }
        state[name] = old.to(kinds[kind])
        expected = "any" if kind in ("half", "double", "float8") else "refuse"
    elif kind == "transposed":
        state[name] = old.mT.contiguous().mT if old.ndim > 1 else old.clone()
        expected = "same"
    elif kind == "wide":
        state[name] = torch.zeros(80_000, 1)
    elif kind == "missing":
        del state[name]
    elif kind == "more":
        state[f"{name}.x"] = old
    elif kind == "layers":
        layers = [key for key in state if ".0." in key]
        for number in range(1, int(rng.choice([300, 3000]))):
            state |= {key.replace(".0.", f".{number}."): state[key] for key in layers}
        expected = "any"
    elif kind == "tied":
        state |= {f"{name}{i}": old for i in range(500)}
    elif kind in ("nan", "1e38"):
        state[name] = torch.full_like(old, float(kind))
        expected = "any"
    elif kind == "parameter":
        state[name] = torch.nn.Parameter(old)
        expected = "same"
    elif kind == "subclass":
        state[name] = torch.masked.masked_tensor(old, old > 0) if old.ndim and hasattr(torch, "masked") else old
        expected = "any"
    else:
        state["n" * 100_000] = old
    record["model_state_dict"] = state
    return f"{name} {kind}", expected, saved(record)


def _no_checkpoint(model_type: str, rng: Rng, marker: Path) -> Made:
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
    }  # fmt: skip
    kind = str(rng.choice(list(made)))
    return kind, "refuse", made[kind]()


@cache
def _script() -> bytes:
    content = saved({})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    root = members[0][0].partition("/")[0]
    return zip_of([*members, (f"{root}/constants.pkl", members[0][1]), (f"{root}/code/x.py", b"import os")])


_MAKERS = (
    _anywhere,
    _in_the_weights,
    _in_the_pickle,
    _old_format,
    _archive,
    _program,
    _wrong_values,
    _weights,
    _no_checkpoint,
)
_SHARES = (0.13, 0.06, 0.13, 0.08, 0.1, 0.15, 0.2, 0.1, 0.05)
