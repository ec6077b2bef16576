"""Damaged and hostile corpus folders."""

import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ci.fuzzing.cases import Case, Rng, damaged, flipped, with_field, zip_of
from ci.fuzzing.npz_files import ARTICLES, CHUNKS, CONTEXT, article_arrays, digest, npy

LENGTHS = np.full(ARTICLES, CHUNKS)


@cache
def _truth() -> str:
    arrays = article_arrays()
    return digest(arrays["embeddings"], arrays["article_ids"], arrays["chunk_indices"])


def corpus_case(rng: Rng, folder: Path) -> Case:
    """One corpus folder with one of its three files damaged or made hostile."""
    from lvm_gates.harness.corpus.corpus import write_corpus

    path = folder / "corpus"
    arrays = article_arrays()
    splits = np.array(["VAL"] * 4 + ["OOD"] * 4)
    write_corpus(path, arrays["embeddings"], LENGTHS, splits=splits, meta={"kind": "test"})
    kind = str(rng.choice(["anywhere", "vectors", "articles", "record"], p=[0.4, 0.15, 0.25, 0.2]))
    name, expected = {"anywhere": _anywhere, "vectors": _vectors, "articles": _articles, "record": _record}[kind](
        path, rng
    )
    return Case(f"corpus: {name}", expected, lambda: read_corpus(path), _truth())  # type: ignore[arg-type]


def read_corpus(path: Path) -> str:
    """As `lvm-data audit --corpus` reads it; a failed audit of the fingerprint is a refusal."""
    from lvm_gates.harness.audits import audit
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve

    inputs = resolve(CorpusArguments(corpus=path), context=CONTEXT, max_samples=100, horizon=1, seed=0)
    corpus = inputs.corpus
    for one in audit(inputs):
        if one.name == "fingerprint" and one.blocks:
            raise UserError(f"{path}: {one.detail}.")
    return digest(corpus.raw(np.arange(corpus.size)), corpus.article_ids[corpus.article_of], corpus.chunk_index)


def _anywhere(path: Path, rng: Rng) -> tuple[str, str]:
    file = path / str(rng.choice(["vectors.npy", "articles.npz", "corpus.json"]))
    name, content = damaged(file.read_bytes(), rng)
    file.write_bytes(content)
    return f"{file.name}, {name}", "same"


def _vectors(path: Path, rng: Rng) -> tuple[str, str]:
    vectors = article_arrays()["embeddings"]
    made: dict[str, bytes] = {
        "a bit": flipped(npy(vectors), 128, 128 + vectors.nbytes, rng),
        "a row less": npy(vectors[:-1]),
        "one axis": npy(vectors.ravel()),
        "no axis": npy(np.float32(1)),
        "whole numbers": npy(np.ones((96, 8), dtype=np.int64)),
        "objects": npy(vectors.astype(object)),
        "a negative axis": npy(vectors, shape="(-96, 8)"),
        "an axis of 2**64": npy(vectors, shape=f"({2**64}, 8)"),
        "past 2**64": npy(vectors, shape=f"({2**40}, {2**40})"),
        "braces without end": npy(vectors, text="{" * 9000),
        "brackets without end": npy(vectors, text="{'descr': " + "(" * 9000),
        "nested": npy(vectors, text="(" * 3000 + ")" * 3000),
        "a string without end": npy(vectors, text="{'descr': '''<f4"),
        "said to be of 4 GB": npy(vectors, length=2**32 - 1),
        "text": b"hello",
        "empty": b"",
        "a zip archive": zip_of([("vectors.npy", npy(vectors))]),
    }
    kind = str(rng.choice(list(made)))
    (path / "vectors.npy").write_bytes(made[kind])
    return f"vectors.npy, {kind}", "refuse"


def _articles(path: Path, rng: Rng) -> tuple[str, str]:
    arrays: dict[str, Any] = {
        "article_ids": np.arange(ARTICLES),
        "lengths": LENGTHS.copy(),
        "chunk_index": article_arrays()["chunk_indices"],
        "splits": np.array(["VAL"] * 4 + ["OOD"] * 4, dtype="<U5"),
    }
    ends = np.array([np.iinfo(np.int64).max] * 8)
    changes: dict[str, dict[str, Any]] = {
        "negative lengths": {"lengths": np.array([-12, 36, 12, 12, 12, 12, 12, 12])},
        "an empty article": {"lengths": np.array([0, 24, 12, 12, 12, 12, 12, 12])},
        "lengths that wrap": {"lengths": np.array([2**62, 2**62, 2**62, 2**62, 24, 24, 24, 24])},
        "lengths as floats": {"lengths": LENGTHS.astype(float)},
        "lengths as text": {"lengths": LENGTHS.astype("U3")},
        "lengths in two axes": {"lengths": LENGTHS.reshape(2, 4)},
        "one length": {"lengths": np.int64(96)},
        "no lengths": {"lengths": LENGTHS[:0]},
        "too few splits": {"splits": arrays["splits"][:5]},
        "splits as numbers": {"splits": np.arange(8)},
        "splits as bytes": {"splits": arrays["splits"].astype("S5")},
        "unknown splits": {"splits": np.array(["TEST"] * 8)},
        "ids twice": {"article_ids": np.zeros(8, dtype=int)},
        "ids as floats": {"article_ids": np.arange(8) + 0.5},
        "ids past 2**63": {"article_ids": ends.astype(np.uint64) + np.uint64(7)},
        "ids as text": {"article_ids": np.arange(8).astype("U1")},
        "chunks as floats": {"chunk_index": arrays["chunk_index"] * 0.5},
        "chunks in two axes": {"chunk_index": arrays["chunk_index"].reshape(8, 12)},
        "chunks past 2**63": {"chunk_index": arrays["chunk_index"].astype(np.uint64) + np.uint64(2**63)},
        "objects": {"lengths": LENGTHS.astype(object)},
        "no splits": {"splits": None},
    }
    kind = str(rng.choice([*changes, "negative axis", "twice", "bad crc", "encrypted", "bomb"]))
    changed = {key: value for key, value in (arrays | changes.get(kind, {})).items() if value is not None}
    members = [(f"{key}.npy", npy(value)) for key, value in changed.items()]
    if kind == "negative axis":
        members[1] = ("lengths.npy", npy(LENGTHS, shape="(-8,)"))
    if kind == "twice":
        members.append(("lengths.npy", npy(np.array([24] * 4 + [0] * 4))))
    if kind == "bomb":
        # 300 MB of zeros where a list of eight is expected.
        members[1] = ("lengths.npy", npy(LENGTHS, shape="(39321600,)") + bytes(314572800 - LENGTHS.nbytes))
    content = zip_of(members, zipfile.ZIP_DEFLATED if kind == "bomb" else zipfile.ZIP_STORED)
    if kind == "bad crc":
        at = content.find(LENGTHS.tobytes())
        content = flipped(content, at, at + LENGTHS.nbytes, rng)
    if kind == "encrypted":
        content = with_field(content, 1, "flags", 1)
    (path / "articles.npz").write_bytes(content)
    return f"articles.npz, {kind}", "refuse"


def _record(path: Path, rng: Rng) -> tuple[str, str]:
    record = json.loads((path / "corpus.json").read_text())
    deep: Any = "[" * 100_000
    texts: dict[str, tuple[str, str]] = {
        "nested": ("refuse", deep),
        "nested and closed": ("refuse", "[" * 900 + "]" * 900),
        "a list": ("refuse", "[1]"),
        "null": ("refuse", "null"),
        "NaN": ("same", json.dumps(record | {"licence": float("nan")})),
        "a number of 10,000 digits": ("refuse", '{"format_version": ' + "9" * 10_000 + "}"),
        "version as text": ("refuse", json.dumps(record | {"format_version": "1"})),
        "version 2": ("refuse", json.dumps(record | {"format_version": 2})),
        "no version": ("refuse", "{}"),
        "fingerprint as a list": ("refuse", json.dumps(record | {"fingerprint": [1]})),
        "fingerprint as a number": ("refuse", json.dumps(record | {"fingerprint": 5})),
        "another fingerprint": ("refuse", json.dumps(record | {"fingerprint": "0" * 64})),
        "kind as a list": ("same", json.dumps(record | {"kind": ["synthetic"]})),
        "a dataset without parameters": ("same", json.dumps(record | {"kind": "synthetic", "world": ["x"]})),
        "split as a list": ("same", json.dumps(record | {"split": [1, 2]})),
        "split digest as a number": ("same", json.dumps(record | {"split": {"digest": 7}})),
        "sources as a number": ("same", json.dumps(record | {"sources": 7})),
        "sources of text": ("same", json.dumps(record | {"sources": [{"norms_off_by": "much"}]})),
        "deep metadata": ("same", json.dumps(record)[:-1] + ', "how": ' + "[" * 800 + "]" * 800 + "}"),
        "dim as text": ("same", json.dumps(record | {"dim": "x", "chunks": {}, "articles": [None]})),
        "a surrogate": ("same", json.dumps(record | {"encoder": "\ud800", "licence": "\x00"})),
        "latin-1": ("refuse", json.dumps(record, ensure_ascii=False) + "\udcff"),
    }
    kind = str(rng.choice(list(texts)))
    expected, text = texts[kind]
    (path / "corpus.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    return f"corpus.json, {kind}", expected
