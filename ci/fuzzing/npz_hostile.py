"""NPZ files that are whole, with headers and values that no honest program writes."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ci.fuzzing.cases import Planted, Rng, zip_of
from ci.fuzzing.npz_files import Arrays, Made, members_of, npy


def header(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    name = str(rng.choice(list(arrays)))
    array = arrays[name]
    shape = array.shape
    headers: dict[str, dict[str, Any]] = {
        "a negative axis": {"shape": repr((-1, *shape[1:]))},
        "two negative axes": {"shape": repr((-shape[0], -1, *shape[1:]))},
        "an axis of 2**64": {"shape": repr((2**64, *shape[1:]))},
        "axes that multiply to 2**64": {"shape": repr((2**32, 2**32))},
        "axes that multiply past 2**64": {"shape": repr((2**40, 2**40, *shape[1:]))},
        "an axis of 10**4000": {"shape": f"({'9' * 4000},)"},
        "an empty axis beside 2**62": {"shape": repr((0, 2**62))},
        "an axis that is true": {"shape": "(True,)"},
        "an axis that is text": {"shape": "('a',)"},
        "a shape that is a list": {"shape": repr(list(shape))},
        "one row more": {"shape": repr((shape[0] + 1, *shape[1:]))},
        "one row less": {"shape": repr((shape[0] - 1, *shape[1:]))},
        "200 axes": {"shape": repr((1,) * 200)},
        "no bytes an item": {"descr": "'<U0'", "shape": "(1000000000,)"},
        "void": {"descr": "'|V0'", "shape": "(1000000000,)"},
        "an item of a gigabyte": {"descr": "'|S1000000000'", "shape": "(1,)"},
        "objects": {"descr": "'|O'"},
        "fields": {"descr": "[('a', '<f4'), ('b', '|O')]"},
        "an array in each item": {"descr": "('<f4', (100000, 100000))"},
        "dates": {"descr": "'<M8[s]'"},
        "an unknown type": {"descr": "'<q9'"},
        "a type that is a number": {"descr": "7"},
        "fortran 3": {"fortran_order": "3"},
        "braces without end": {"text": "{" * 9000},
        "brackets without end": {"text": "{'descr': " + "(" * 9000},
        "nested 3,000 deep": {
            "text": "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 3000 + ")" * 3000 + "}"
        },
        "minus 5,000 times": {"text": "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "-" * 5000 + "1,)}"},
        "a string without end": {"text": "{'descr': '''<f4"},
        "a NUL": {"text": "{'descr': '<f4\0'}"},
        "a call": {
            "text": f"{{'descr': __import__('os').mkdir({str(marker)!r}), 'fortran_order': False, 'shape': ()}}"
        },
        "no dictionary": {"text": "[1, 2"},
        "more keys": {"text": "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}"},
        "100,000 letters": {"text": "{'descr': '" + "x" * 100_000 + "'}"},
        "said to be of 4 GB": {"length": 2**32 - 1},
        "said to be empty": {"length": 0},
        "said to be negative": {"length": -5},
        "version 9": {"version": (9, 9)},
        "version 3": {"version": (3, 0)},
        "letters that are no UTF-8": {"version": (3, 0), "descr": "'\udcff'.encode"},
    }
    kind = str(rng.choice(list(headers)))
    given = headers[kind]
    try:
        made = npy(array, **given)
    except UnicodeEncodeError:
        made = b"\x93NUMPY\x03\x00\x04\x00\x00\x00\xff\xfe\xfd\n" + array.tobytes()
    rest = [(f"{key}.npy", npy(value)) for key, value in arrays.items() if key != name]
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.3 else zipfile.ZIP_STORED
    expected = "same" if kind == "version 3" else "refuse"
    return f"{name} with a header: {kind}", expected, zip_of([(f"{name}.npy", made), *rest], packing)


def values(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    changed = {name: array.copy() for name, array in arrays.items()}
    floats = [name for name, array in arrays.items() if array.dtype.kind == "f"]
    whole = [name for name in arrays if name not in floats]
    of, count = str(rng.choice(floats)), str(rng.choice(whole))
    at = int(rng.integers(len(changed[of])))
    kind = str(
        rng.choice(
            [
                "1e30",
                "1e300",
                "wide",
                "nan",
                "inf",
                "zero",
                "tiny",
                "uint64",
                "ends",
                "far",
                "signed",
                "bool",
                "float ids",
                "text",
                "complex",
                "fortran",
                "big-endian",
                "half",
                "no rows",
                "objects",
                "planted",
                "one axis",
                "short",
            ]
        )
    )
    expected = "any"
    if kind == "1e30":
        changed[of][at] *= np.float32(1e30)
    elif kind in ("1e300", "wide"):
        changed[of] = changed[of].astype(np.longdouble if kind == "wide" else np.float64)
        changed[of][at] *= 1e300
    elif kind in ("nan", "inf", "zero", "tiny"):
        changed[of][at] = {"nan": np.nan, "inf": np.inf, "zero": 0.0, "tiny": 1e-45}[kind]
        expected = "any" if kind in ("tiny",) or "targets" in arrays else "refuse"
    elif kind == "uint64":
        changed[count] = changed[count].astype(np.uint64) + np.uint64(2**63 + 7)
        expected = "refuse"
    elif kind == "ends":
        changed[count][0], changed[count][-1] = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    elif kind == "far":
        changed[count] = changed[count] * (2**59)
    elif kind == "signed":
        changed[count] = (changed[count] - 5).astype(np.int8)
    elif kind in ("bool", "float ids", "text", "complex"):
        changed[count] = changed[count].astype(
            {"bool": bool, "float ids": float, "text": "U9", "complex": complex}[kind]
        )
        expected = "refuse"
    elif kind in ("fortran", "big-endian", "half"):
        new = {
            "fortran": np.asfortranarray,
            "big-endian": lambda a: a.astype(">f4"),
            "half": lambda a: a.astype(np.float16),
        }
        changed[of] = new[kind](changed[of])
        expected = "any" if kind == "half" else "same"
    elif kind == "no rows":
        changed = {name: array[:0] for name, array in changed.items()}
        expected = "refuse"
    elif kind in ("objects", "planted"):
        name = str(rng.choice(list(arrays)))
        items = np.empty(len(changed[name]), dtype=object)
        items[:] = [Planted(marker)] * len(items) if kind == "planted" else [{}] * len(items)
        changed[name] = items
        expected = "refuse"
    elif kind == "one axis":
        changed[of] = changed[of].ravel()
        expected = "refuse"
    else:
        changed[of] = changed[of][:-1]
        expected = "refuse"
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.3 else zipfile.ZIP_STORED
    return f"values: {kind}", expected, zip_of(members_of(changed), packing)
