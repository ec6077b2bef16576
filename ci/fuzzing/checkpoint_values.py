"""Checkpoints that torch writes and reads, with fields and weights that cannot be."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ci.fuzzing.cases import Planted, Rng
from ci.fuzzing.checkpoint_files import Made, record_of, saved


def wrong_values(model_type: str, rng: Rng, marker: Path) -> Made:
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
        "None": None,
        "true": True,
        "text": "x",
        "an empty text": "",
        "a surrogate": "\ud800",
        "control letters": "\x00\x1b[2J\n",
        "a long text": "y" * 1_000_000,
        "-1": -1,
        "0": 0,
        "2**62": 2**62,
        "10**400": 10**400,
        "NaN": float("nan"),
        "infinity": float("inf"),
        "1e300": 1e300,
        "a list": [1, "a", None],
        "a list of lists": [[1], [2]],
        "nested": deep,
        "a loop": loop,
        "shared lists": shared,
        "a dictionary": {"path": 5, "fingerprint": [1]},
        "odd keys": {1: 2, None: 3, (1, 2): 4},
        "a tuple": (1, 2),
        "a set": {1, 2},
        "bytes": b"\x00\xff" * 50,
        "bytearray": bytearray(5),
        "complex": 1j,
        "a tensor": torch.ones(3),
        "a large view": torch.zeros(1).expand(10**9),
        "a meta tensor": torch.empty(10**10, device="meta"),
        "a sparse tensor": torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (10**9,)),
        "a type": torch.float32,
        "a size": torch.Size([3]),
        "a device": torch.device("cpu"),
        "a number of numpy": np.float64(0.5),
        "an array": np.ones(3),
        "planted": Planted(marker),
        "a module": torch.nn.Linear(1, 1),
        "a quantised tensor": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    }
    key = str(rng.choice([k for k in record if k not in ("optimizer_state_dict", "epoch")]))
    kind = str(rng.choice(list(values)))
    value = values[kind]
    inner = {
        "args": ["position_scale"],
        "model_config": ["heads", "base", "normalise_delta", "width", "depth"],
        "corpus": ["path", "fingerprint"],
        "train_fingerprints": ["version", "complete", "parts"],
    }
    where = key
    if key in inner and rng.random() < 0.6:
        name = str(rng.choice(inner[key]))
        where, value = f"{key}.{name}", {**record[key], name: value}
    elif key == "model_state_dict" and rng.random() < 0.6:
        name = str(rng.choice(list(record[key])))
        where, value = f"{key}.{name}", {**record[key], name: value}
    if key == "train_fingerprints" and rng.random() < 0.6:
        name = str(rng.choice(["mean", "signatures", "lengths"]))
        part = {**record[key]["parts"][0], name: values[kind]}
        where, value = f"{key}.parts.0.{name}", {**record[key], "parts": [part]}
    record[key] = value
    expected = "refuse" if kind in ("planted", "a module", "an array") else "any"
    return f"{where} is {kind}", expected, saved(record)


def weights(model_type: str, rng: Rng, marker: Path) -> Made:
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
        expected = "any"  # the layout of a matrix changes rounding
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
