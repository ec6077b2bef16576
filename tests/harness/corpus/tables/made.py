"""One corpus of twelve articles with text ids, and the files that people keep it in, written by their own libraries."""

import gzip
import json
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ARTICLES, CHUNKS, DIM = 12, 8, 6
N = ARTICLES * CHUNKS
_RAW = np.random.default_rng(0).standard_normal((N, DIM))
VECTORS = (_RAW / np.linalg.norm(_RAW, axis=1, keepdims=True)).astype(np.float32)
ARTICLE = np.repeat(np.arange(ARTICLES), CHUNKS)
CHUNK = np.tile(np.arange(CHUNKS), ARTICLES)
NAMES = [f"Physics/{a}" for a in ARTICLE]
TEXTS = [f"Sentence {c} of {name}, é." for name, c in zip(NAMES, CHUNK, strict=True)]


def columns(**more):
    """A column of each kind, in Arrow; None takes one out."""
    found = {
        "doc_id": pa.array(NAMES),
        "chunk_index": pa.array(CHUNK),
        "embedding": fixed(VECTORS),
        "text": pa.array(TEXTS),
    }
    return {name: column for name, column in (found | more).items() if column is not None}


def fixed(vectors, type_=None):
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), type_), vectors.shape[1])


def lists(vectors, type_=None):
    offsets = np.arange(0, vectors.size + 1, vectors.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.ravel(), type_))


def nested():
    """The layout of Large Concept Models: an article a row."""
    offsets = pa.array(np.arange(0, N + 1, CHUNKS, dtype=np.int32))
    return {
        "title": pa.array(NAMES[::CHUNKS]),
        "text_sentences": pa.ListArray.from_arrays(offsets, pa.array(TEXTS)),
        "text_sentences_sonar_emb": pa.ListArray.from_arrays(offsets, fixed(VECTORS)),
    }


def parquet(path: Path, table, **options) -> Path:
    pq.write_table(pa.table(table), path, **options)
    return path


def arrow_file(path: Path, table) -> Path:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.table(table).schema) as writer:
        writer.write_table(pa.table(table))
    return path


def data_set(path: Path, table, parts: int = 2) -> Path:
    """As `datasets.Dataset.save_to_disk` writes it (compared with version 5.2.0)."""
    path.mkdir()
    whole = pa.table(table)
    names = [f"data-{i:05d}-of-{parts:05d}.arrow" for i in range(parts)]
    size = -(-whole.num_rows // parts)
    for i, name in enumerate(names):
        with pa.OSFile(str(path / name), "wb") as sink, pa.ipc.new_stream(sink, whole.schema) as writer:
            writer.write_table(whole.slice(i * size, size), max_chunksize=10)
    (path / "dataset_info.json").write_text("{}")
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_split": None}
    (path / "state.json").write_text(json.dumps(state))
    return path


def json_lines(path: Path, records) -> Path:
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def records(**more):
    """Lines of JSON, a chunk each; fields that are None are left out."""
    rows = (
        {"doc_id": NAMES[i], "chunk_index": int(CHUNK[i]), "embedding": VECTORS[i].tolist(), "text": TEXTS[i]}
        for i in range(N)
    )
    return [{k: v for k, v in (row | more).items() if v is not None} for row in rows]


def npy(path: Path, vectors=VECTORS) -> Path:
    np.save(path, vectors)
    np.save(path.with_name(f"{path.stem}_article_ids.npy"), np.array(NAMES))
    np.save(path.with_name(f"{path.stem}_chunk_indices.npy"), CHUNK)
    path.with_name(f"{path.stem}_texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return path


def npy_with_lines(path: Path, lines) -> Path:
    np.save(path, VECTORS)
    json_lines(path.with_name(f"{path.stem}_ids.jsonl"), lines)
    return path


def faiss_index(path: Path, ids=None, vectors=VECTORS, index=None) -> Path:
    made = faiss.IndexFlatIP(vectors.shape[1]) if index is None else index
    if ids is not None:
        made = faiss.IndexIDMap(made)
        made.add_with_ids(vectors, np.asarray(ids, dtype=np.int64))
    else:
        made.add(vectors)
    faiss.write_index(made, str(path))
    return path
