"""Damaged and hostile tables of vectors, and the text and ids beside a corpus.

Parquet as most write it, Arrow, JSON lines and FAISS have no checksum: a digit of a vector turned over cannot be seen.
Damage anywhere in them may so be read as something else; with page checksums, and in a corpus folder, it may not.
"""

import json
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ci.fuzzing.cases import Case, Expected, Rng, damaged
from ci.fuzzing.npz_files import ARTICLES, CHUNKS, CONTEXT, DIM, article_arrays, digest

Files = dict[str, bytes]
_N = ARTICLES * CHUNKS


def make(index: int, rng: Rng, folder: Path, marker: Path) -> Case:
    """Attempt ``index``: each format in turn; most with damage anywhere, the rest with hostile values."""
    name = list(_FORMATS)[index % len(_FORMATS)]
    files, hostile = _FORMATS[name]()
    if hostile and rng.random() < 0.4:
        kind = str(rng.choice(list(hostile)))
        files, expected = files | hostile[kind][1], hostile[kind][0]
    else:
        file = str(rng.choice([one for one in files if not one.endswith(_ELSEWHERE)]))
        kind, content = damaged(files[file], rng)
        kind, files = f"{file}, {kind}", files | {file: content}
        expected = "same" if name in _CHECKED else "any"
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    path = folder / next(iter(files)).partition("/")[0]
    return Case(f"{name}: {kind}", expected, lambda: read_table_file(path), _truth(name))


@cache
def _truth(name: str) -> str:
    rows = _ours()
    found = digest(rows["embedding"], article_arrays()["article_ids"], rows["chunk_index"])
    return found + (_said(rows["text"]) if name == "corpus" else "")


def read_table_file(path: Path) -> str:
    """As `lvm-data audit --corpus` reads a table, and a report the text of a corpus."""
    from lvm_gates.harness.audits import audit
    from lvm_gates.harness.corpus.chunk_text import open_chunk_text
    from lvm_gates.harness.corpus.opening import open_any
    from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve

    corpus = open_any(path)
    half = len(corpus.lengths) // 2
    ids = corpus.names or tuple(map(str, corpus.article_ids.tolist()))
    (path.parent / "val").write_text("\n".join(ids[:half]))
    (path.parent / "ood").write_text("\n".join(ids[half:]))
    ranges = {f"{name}_articles": f"@{path.parent / name}" for name in ("val", "ood")}
    arguments = CorpusArguments(corpus=path, **ranges)  # type: ignore[arg-type]
    inputs = resolve(arguments, context=CONTEXT, max_samples=100, horizon=1, seed=0)
    audit(inputs)
    found = digest(corpus.raw(np.arange(corpus.size)), corpus.article_of, corpus.chunk_index)
    if path.name != "corpus":
        return found
    text = open_chunk_text(path)
    return found if text is None else found + _said([text[row] for row in range(len(text))])


def _said(texts: list[str]) -> str:
    return digest(np.frombuffer("\n".join(texts).encode(), dtype=np.uint8))


@cache
def _ours() -> dict[str, Any]:
    arrays = article_arrays()
    names = [f"a{i}" for i in arrays["article_ids"]]
    texts = [f"Chunk {c} of {name}." for name, c in zip(names, arrays["chunk_indices"], strict=True)]
    return {
        "doc_id": names,
        "chunk_index": arrays["chunk_indices"],
        "embedding": arrays["embeddings"],
        "text": texts,
    }


def _arrow(**more: Any) -> Any:
    import pyarrow as pa

    rows = _ours() | {"embedding": list(_ours()["embedding"])} | more
    return pa.table({name: values for name, values in rows.items() if values is not None})


def _nested() -> Any:
    import pyarrow as pa

    arrays, texts = article_arrays(), _ours()["text"]
    parts = [slice(a * CHUNKS, (a + 1) * CHUNKS) for a in range(ARTICLES)]
    return pa.table(
        {
            "title": [f"a{a}" for a in range(ARTICLES)],
            "sentences": [texts[part] for part in parts],
            "embeddings": [arrays["embeddings"][part].tolist() for part in parts],
        }
    )


def _parquet(table: Any, **options: Any) -> bytes:
    import pyarrow.parquet as pq

    out = BytesIO()
    pq.write_table(table, out, row_group_size=40, **options)
    return out.getvalue()


def _stream(table: Any, *, file: bool = False, **options: Any) -> bytes:
    import pyarrow as pa

    out = BytesIO()
    new = pa.ipc.new_file if file else pa.ipc.new_stream
    with new(out, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=40)
    return out.getvalue()


def _hostile_columns(write: Callable[[Any], bytes], name: str) -> dict[str, tuple[Expected, Files]]:
    import pyarrow as pa

    vectors = article_arrays()["embeddings"]
    wild = vectors.copy()
    wild[5, 2] = np.nan
    changes: dict[str, dict[str, Any]] = {
        "NaN": {"embedding": list(wild)},
        "zeros": {"embedding": list(vectors * 0)},
        "ragged": {"embedding": [row[: 1 + i % DIM].tolist() for i, row in enumerate(vectors)]},
        "empty lists": {"embedding": pa.array([[]] * _N, pa.list_(pa.float32()))},
        "no vectors": {"embedding": pa.nulls(_N, pa.list_(pa.float32()))},
        "whole numbers": {"embedding": [[1, 2]] * _N},
        "nothing but nulls": {"embedding": pa.nulls(_N)},
        "ids without end": {"doc_id": pa.array(np.full(_N, 2**64 - 1, dtype=np.uint64))},
        "no ids": {"doc_id": pa.nulls(_N, pa.string())},
        "ids twice": {"doc_id": ["x"] * _N},
        "chunks as NaN": {"chunk_index": np.full(_N, np.nan)},
        "chunks as infinity": {"chunk_index": np.full(_N, np.inf)},
        "two of everything": {"vector": list(vectors)},
    }
    return {kind: ("refuse", {name: write(_arrow(**change))}) for kind, change in changes.items()} | {
        "no rows": ("refuse", {name: write(_arrow().slice(0, 0))})
    }


@cache
def _parquet_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    return {"v.parquet": _parquet(_arrow())}, _hostile_columns(_parquet, "v.parquet")


@cache
def _checked_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    # Statistics and the header of a page stand outside its checksum, and decide nothing of what is read.
    options = {"write_page_checksum": True, "compression": "none", "use_dictionary": False}
    return {"checked.parquet": _parquet(_arrow(), **options)}, {}


@cache
def _nested_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    return {"v.parquet": _parquet(_nested(), compression="zstd")}, {}


@cache
def _arrow_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    bare = _stream(_arrow(), file=True)
    return {"v.arrow": bare}, {
        **_hostile_columns(lambda table: _stream(table, file=True), "v.arrow"),
        "packed": ("same", {"v.arrow": _stream(_arrow(), file=True, compression="zstd")}),
        "magic alone": ("refuse", {"v.arrow": bare[:8]}),
    }


@cache
def _packed_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    return {"v.arrow": _stream(_nested(), compression="lz4")}, {}


@cache
def _data_set_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    state = {"_data_files": [{"filename": "data.arrow"}], "_fingerprint": "0"}
    states: dict[str, Any] = {
        "outside": {"_data_files": [{"filename": "../../etc/passwd"}]},
        "absent": {"_data_files": [{"filename": "other.arrow"}]},
        "none": {"_data_files": []},
        "numbers": {"_data_files": [1]},
        "a number": {"_data_files": 7},
        "text": "x",
        "itself": {"_data_files": [{"filename": "state.json"}]},
    }
    hostile: dict[str, tuple[Expected, Files]] = {
        kind: ("refuse", {"set/state.json": json.dumps(value).encode()}) for kind, value in states.items()
    }
    hostile["nested"] = ("refuse", {"set/state.json": b"[" * 100_000})
    files = {"set/data.arrow": _stream(_arrow()), "set/state.json": json.dumps(state).encode()}
    return files, hostile


@cache
def _json_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    rows = [dict(row, embedding=[float(x) for x in row["embedding"]]) for row in _arrow().to_pylist()]

    def lines(**change: Any) -> bytes:
        return "\n".join(json.dumps(row | (change if i == 7 else {})) for i, row in enumerate(rows)).encode()

    hostile: dict[str, tuple[Expected, Files]] = {
        str(kind): ("refuse", {"v.jsonl": lines(**change)})
        for kind, change in {
            "no list": {"embedding": {}},
            "a list in a list": {"embedding": [[1.0]]},
            "text": {"embedding": ["1"] * DIM},
            "a huge number": {"embedding": [10**400] * DIM},
            "ids of two kinds": {"doc_id": 7},
            "an id as a list": {"doc_id": []},
            "chunk as text": {"chunk_index": "7"},
            "chunk past 2**63": {"chunk_index": 2**63},
            "text as a number": {"text": 7},
        }.items()
    }
    hostile |= {
        "nested": ("refuse", {"v.jsonl": b"[" * 100_000}),
        "braces": ("refuse", {"v.jsonl": b'{"a":' * 100_000}),
        "empty": ("refuse", {"v.jsonl": b""}),
        "a number of 10,000 digits": ("refuse", {"v.jsonl": b'{"embedding": [' + b"9" * 10_000 + b"]}"}),
    }
    return {"v.jsonl": lines()}, hostile


@cache
def _matrix_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    files = {"v.npy": _npy(_ours()["embedding"]), "v_article_ids.txt": "\n".join(_ours()["doc_id"]).encode()}
    files["v_chunk_indices.npy"] = _npy(_ours()["chunk_index"])
    return files, {
        "objects": ("refuse", {"v.npy": _npy(_ours()["embedding"])[:128] + b"\x80\x04N."}),
        "a row less": ("refuse", {"v.npy": _npy(_ours()["embedding"][1:])}),
        "bytes": ("refuse", {"v_article_ids.txt": b"\xff" * _N}),
        "negative numbers": ("any", {"v_chunk_indices.npy": _npy(-_ours()["chunk_index"])}),
    }


@cache
def _faiss_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    import faiss

    index = faiss.IndexIDMap(faiss.IndexFlatIP(DIM))
    index.add_with_ids(_ours()["embedding"], article_arrays()["article_ids"])
    whole = faiss.serialize_index(index).tobytes()
    far = np.array([2**40], dtype="<i8").tobytes()
    return {"v.faiss": whole}, {
        "vectors without end": ("refuse", {"v.faiss": whole[:8] + far + whole[16:45] + far + whole[53:]}),
        "ids alone": ("refuse", {"v.faiss": whole[:37]}),
        "another index": ("refuse", {"v.faiss": b"IwFl" + whole[4:]}),
        "no dimension": ("refuse", {"v.faiss": whole[:41] + bytes(4) + whole[45:]}),
    }


@cache
def _corpus_files() -> tuple[Files, dict[str, tuple[Expected, Files]]]:
    import tempfile

    from lvm_gates.harness.corpus.corpus import write_corpus

    rows = _ours()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "corpus"
        write_corpus(
            folder,
            rows["embedding"],
            np.full(ARTICLES, CHUNKS),
            splits=np.array([""] * ARTICLES),
            meta={"kind": "test"},
            texts=rows["text"],
            names=list(dict.fromkeys(rows["doc_id"])),
        )
        files = {f"corpus/{file.name}": file.read_bytes() for file in sorted(folder.iterdir())}
    record = json.loads(files["corpus/corpus.json"])
    hostile: dict[str, tuple[Expected, Files]] = {
        kind: ("refuse", {"corpus/corpus.json": json.dumps(record | change).encode()})
        for kind, change in {
            "text as a number": {"text": 7},
            "text without digests": {"text": {}},
            "text of another": {"text": record["text"] | {"sha256": "0" * 64}},
            "names of another": {"article_names": "0" * 64},
            "names as a list": {"article_names": []},
        }.items()
    }
    hostile["text nobody recorded"] = ("any", {"corpus/corpus.json": _without(record, "text")})
    return files, hostile


def _without(record: dict[str, Any], key: str) -> bytes:
    return json.dumps({name: value for name, value in record.items() if name != key}).encode()


def _npy(array: Any) -> bytes:
    out = BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


_FORMATS: dict[str, Callable[[], tuple[Files, dict[str, tuple[Expected, Files]]]]] = {
    "parquet": _parquet_files,
    "checked parquet": _checked_files,
    "parquet, an article a row": _nested_files,
    "arrow": _arrow_files,
    "packed arrow": _packed_files,
    "data set": _data_set_files,
    "json lines": _json_files,
    "npy": _matrix_files,
    "faiss": _faiss_files,
    "corpus": _corpus_files,
}
_CHECKED = ("checked parquet", "corpus")
# Damaged by `corpora`.
_ELSEWHERE = ("corpus.json", "vectors.npy", "articles.npz")
