"""Damaged and hostile NPZ article files, sequence files and corpus folders."""

import hashlib
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ci.fuzzing.cases import (
    Case,
    Planted,
    Rng,
    damaged,
    directory_entries,
    flipped,
    raw_zip,
    with_field,
    zeros_compressed,
    zip_of,
)

ARTICLES, CHUNKS, DIM, CONTEXT = 8, 12, 8, 3
Arrays = dict[str, Any]


@cache
def article_arrays() -> Arrays:
    """The undamaged article file."""
    vectors = np.random.default_rng(0).standard_normal((ARTICLES * CHUNKS, DIM)).astype(np.float32)
    return {
        "embeddings": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "article_ids": np.repeat(np.arange(ARTICLES), CHUNKS),
        "chunk_indices": np.tile(np.arange(CHUNKS), ARTICLES),
    }


@cache
def sequence_arrays() -> Arrays:
    """Every window of the article file, as the undamaged sequence file."""
    stored = article_arrays()["embeddings"]
    last = [a * CHUNKS + c for a in range(ARTICLES) for c in range(CONTEXT, CHUNKS)]
    return {
        "contexts": np.stack([stored[row - CONTEXT : row] for row in last]),
        "targets": stored[last],
        "article_ids": article_arrays()["article_ids"][last],
        "target_indices": article_arrays()["chunk_indices"][last],
    }


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``: an article file, a sequence file or a corpus folder, in turn."""
    from ci.fuzzing.corpora import corpus_case

    if index % 4 == 3:
        return corpus_case(rng, folder)
    sequences = index % 4 == 2
    arrays = sequence_arrays() if sequences else article_arrays()
    name, expected, content = _MAKERS[int(rng.choice(len(_MAKERS), p=_SHARES))](arrays, rng, marker)
    path = folder / "in.npz"
    path.write_bytes(content)
    if sequences:
        return Case(f"sequences: {name}", expected, lambda: read_sequence_file(path), _truth(True))
    return Case(f"articles: {name}", expected, lambda: read_article_file(path), _truth(False))


@cache
def _truth(sequences: bool) -> str:
    if sequences:
        return digest(*(sequence_arrays()[key] for key in ("contexts", "targets", "article_ids", "target_indices")))
    return digest(*(article_arrays()[key] for key in ("embeddings", "article_ids", "chunk_indices")))


def digest(*arrays: Any) -> str:
    """Of contents, whatever the types they are kept in."""
    found = hashlib.sha256()
    for array in arrays:
        kind = np.float32 if array.dtype.kind == "f" else np.int64
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=kind)
        found.update(str(array.shape).encode() + array.tobytes())
    return found.hexdigest()


def read_article_file(path: Path) -> str:
    """As `lvm-data audit --articles-npz` reads it; every audit is run."""
    from harness.audits import audit
    from harness.inputs import CorpusArguments, resolve

    ranges = {"val_articles": "0-3", "ood_articles": "4-7"}
    arguments = CorpusArguments(articles_npz=path, **ranges)  # type: ignore[arg-type]
    inputs = resolve(arguments, context=CONTEXT, max_samples=100, horizon=1, seed=0)
    audit(inputs)
    corpus = inputs.corpus
    return digest(corpus.raw(np.arange(corpus.size)), corpus.article_ids[corpus.article_of], corpus.chunk_index)


def read_sequence_file(path: Path) -> str:
    """As `lvm-data rebuild` and `--val-npz` read it."""
    from harness.npz import SequenceFile, read_articles, read_sequences
    from harness.sequence_articles import recover_articles

    store = path.with_name("store.npz")
    np.savez(store, **article_arrays())
    read_sequences(path, read_articles(store))
    recover_articles(path, path.with_name("scratch"))
    file = SequenceFile.open(path)
    empty = np.empty(0, dtype=np.int64)
    return digest(
        file.contexts,
        file.targets,
        empty if file.article_ids is None else file.article_ids,
        empty if file.positions is None else file.positions,
    )


# What is done to a file: (name, what a reader may do, content).
Made = tuple[str, Any, bytes]


def npy(array: Any, **header: Any) -> bytes:
    """One member; with a header of one's own where one is given."""
    out = BytesIO()
    if not header and np.asarray(array).dtype.hasobject:
        said = {"descr": "|O", "fortran_order": False, "shape": np.asarray(array).shape}
        np.lib.format.write_array_header_1_0(out, said)
        return out.getvalue() + pickle.dumps(array, protocol=4)
    if not header:
        np.lib.format.write_array(out, np.asarray(array), allow_pickle=False)
        return out.getvalue()
    said = {"descr": repr(array.dtype.str), "fortran_order": "False", "shape": repr(array.shape)} | header
    text = said.get("text") or "{%s}" % ", ".join(
        f"'{key}': {said[key]}" for key in ("descr", "fortran_order", "shape")
    )
    encoded = text.encode() + b"\n"
    length = header.get("length", len(encoded))
    version = header.get("version", (2, 0))
    return b"\x93NUMPY" + bytes(version) + struct.pack("<I", length & 0xFFFFFFFF) + encoded + array.tobytes()


def members_of(arrays: Arrays) -> list[tuple[str, bytes]]:
    """What `np.savez` puts into the archive."""
    return [(f"{name}.npy", npy(array)) for name, array in arrays.items()]


def _anywhere(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.4 else zipfile.ZIP_STORED
    name, content = damaged(zip_of(members_of(arrays), packing), rng)
    return name, "same", content


def _in_a_body(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    """A bit of the numbers themselves, which nothing but the checksum guards."""
    content = zip_of(members_of(arrays))
    name = str(rng.choice(list(arrays)))
    body = arrays[name].tobytes()
    begin = content.find(body[:256])
    return f"flip in the body of {name}", "refuse", flipped(content, begin, begin + len(body), rng)


def _in_the_directory(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.4 else zipfile.ZIP_STORED
    content = zip_of(members_of(arrays), packing)
    begin = directory_entries(content)[0]
    return "flip in the directory", "same", flipped(content, begin, len(content), rng)


def _field(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.5 else zipfile.ZIP_STORED
    content = zip_of(members_of(arrays), packing)
    values: dict[str, list[int]] = {
        "flags": [1, 0x41, 0x20, 0x2000],
        "method": [1, 6, 9, 12, 14, 93, 95, 97, 98, 99, 65535],
        "crc": [0, 0xFFFFFFFF, int(rng.integers(2**32))],
        "compressed size": [0, 1, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(5000))],
        "size": [0, 1, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(5000))],
        "header offset": [1, 0xFFFFFFFE, 0xFFFFFFFF, int(rng.integers(len(content)))],
    }
    field = str(rng.choice(list(values)))
    value = int(rng.choice(values[field]))
    return f"{field} {value}", "same", with_field(content, int(rng.integers(len(arrays))), field, value)


def _archive(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    members = members_of(arrays)
    at = int(rng.integers(len(members)))
    name, body = members[at]
    other = npy(np.zeros_like(arrays[name.removesuffix(".npy")]))
    made: dict[str, Callable[[], tuple[Any, bytes]]] = {
        "a member twice": lambda: ("refuse", zip_of([*members, (name, other)])),
        "a member twice, compressed": lambda: ("refuse", zip_of([(name, other), *members], zipfile.ZIP_DEFLATED)),
        "a NUL in a name": lambda: (
            "same",
            zip_of([*members[:at], (f"{name}X.npy", other), *members[at:]]).replace(
                f"{name}X".encode(), f"{name}\0".encode()
            ),
        ),
        "bz2": lambda: ("same", zip_of(members, zipfile.ZIP_BZIP2)),
        "LZMA": lambda: ("same", zip_of(members, zipfile.ZIP_LZMA)),
        "LZMA damaged": lambda: (
            "same",
            flipped(c := zip_of(members, zipfile.ZIP_LZMA), 40, directory_entries(c)[0], rng),
        ),
        "bz2 damaged": lambda: (
            "same",
            flipped(c := zip_of(members, zipfile.ZIP_BZIP2), 40, directory_entries(c)[0], rng),
        ),
        "a short body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body[: -int(rng.integers(1, 300))]), *members[at + 1 :]]),
        ),
        "a long body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body + rng.bytes(int(rng.integers(1, 300)))), *members[at + 1 :]]),
        ),
        "a short compressed body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body[:-8]), *members[at + 1 :]], zipfile.ZIP_DEFLATED),
        ),
        "a long compressed body": lambda: (
            "refuse",
            zip_of([*members[:at], (name, body + b"12345678"), *members[at + 1 :]], zipfile.ZIP_DEFLATED),
        ),
        "an empty member": lambda: ("refuse", zip_of([*members[:at], (name, b""), *members[at + 1 :]])),
        "names of 60,000 letters": lambda: ("same", zip_of([*members, ("x" * 60_000 + ".npy", body)])),
        "escapes in names": lambda: ("refuse", zip_of([("\x1b[2J\n\u202e.npy", body)])),
        "5,000 members": lambda: ("same", zip_of([*members, *((f"m{i}.npy", b"") for i in range(5000))])),
        "one of 100,000 names": lambda: ("refuse", zip_of([(f"m{i}", b"") for i in range(20_000)])),
        "a comment": lambda: ("same", zip_of(members)[:-2] + struct.pack("<H", 5) + b"PK\x05\x06!"),
        "two archives": lambda: ("same", zip_of([(name, other)]) + zip_of(members)),
        "no archive": lambda: ("refuse", rng.bytes(200)),
        "empty": lambda: ("refuse", b""),
    }
    kind = str(rng.choice(list(made)))
    expected, content = made[kind]()
    return kind, expected, content


def _header(arrays: Arrays, rng: Rng, marker: Path) -> Made:
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


def _values(arrays: Arrays, rng: Rng, marker: Path) -> Made:
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


def _bomb(arrays: Arrays, rng: Rng, marker: Path) -> Made:
    """A few kilobytes that unpack to a gigabyte and more, as numbers or as a header."""
    megabytes = int(rng.choice([600, 1500]))
    name = next(iter(arrays))
    if rng.random() < 0.5:
        head = b"\x93NUMPY\x02\x00" + struct.pack("<I", megabytes << 20)
        kind = "header"
    else:
        shape = (megabytes * 2048, 128)
        text = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
        head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
        kind = "body"
    packed, crc, size = zeros_compressed(megabytes, head)
    return f"a {kind} of {megabytes} MB in {len(packed) >> 10} KB", "refuse", raw_zip(f"{name}.npy", packed, crc, size)


def json_text(value: Any) -> str:
    """As `corpus.json` is written."""
    return json.dumps(value)


_MAKERS = (_anywhere, _in_a_body, _in_the_directory, _field, _archive, _header, _values, _bomb)
_SHARES = (0.2, 0.15, 0.1, 0.12, 0.13, 0.15, 0.14, 0.01)
