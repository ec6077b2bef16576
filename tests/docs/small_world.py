"""Everything that the pages' commands name, small: corpora, article files, a checkpoint, texts, models of a user's."""

import json
import stat
import sys
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.npz import read_articles
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.worlds.world import synthesise

MODEL = """
class LastFrame:
    def predict(self, contexts):
        return contexts[:, -1]


factory = LastFrame


def tuned(weights, alpha):
    with open(weights, "rb"):
        return lambda contexts: contexts[:, -1] * alpha
"""


ENCODER = """
import numpy as np


def letters(texts):
    return np.array([[1 + text.lower().count(chr(97 + i)) for i in range(26)] for text in texts])
"""


def make_world(folder: Path) -> None:
    """Fill a folder; the checkpoint is trained by whoever asks for it."""
    corpus = synthesise("arrow", folder / "my_corpus", articles=60, dim=32, seed=1)
    _articles(corpus, range(60), folder / "wiki.npz")
    _tables(corpus, folder)
    (folder / "my_package").mkdir()
    (folder / "my_package" / "__init__.py").touch()
    for file in ("mine.py", "my_package/my_module.py"):
        (folder / file).write_text(MODEL)
    python = folder.parent / "other" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)


def make_files(folder: Path, corpus: Corpus) -> None:
    """Files as a user has them before there is a corpus."""
    _articles(corpus, range(30), folder / "a.npz")
    _articles(corpus, range(30, 60), folder / "b.npz")
    _articles(corpus, range(30, 60), folder / "other.npz")
    articles = read_articles(folder / "a.npz")
    windows = windows_of(articles, np.arange(30), 5)
    np.savez(
        folder / "seq.npz",
        contexts=windows.contexts(),
        targets=windows.target_vectors(),
        article_ids=articles.article_ids[windows.clusters],
        target_indices=articles.chunk_index[windows.targets],
    )
    (folder / "texts").mkdir()
    for a in range(30):
        paragraphs = "\n\n".join(f"Paragraph {p} of article {a}." for p in range(8))
        (folder / "texts" / f"{a}.txt").write_text(paragraphs)
    _tables(corpus, folder)
    np.save(folder / "emb.npy", corpus.vectors(np.arange(corpus.size)))
    np.save(folder / "emb_article_ids.npy", corpus.article_of)
    np.save(folder / "emb_chunk_indices.npy", corpus.chunk_index)
    (folder / "ids.txt").write_text("\n".join(_names(corpus)) + "\n")
    lines = [{"id": name, "chunk": int(c)} for name, c in zip(_names(corpus), corpus.chunk_index, strict=True)]
    (folder / "ids.jsonl").write_text("\n".join(map(json.dumps, lines)))
    index = faiss.IndexFlatIP(corpus.dim)
    index.add(corpus.vectors(np.arange(corpus.size)))
    faiss.write_index(index, str(folder / "index.faiss"))
    rows = [corpus.rows_of(np.array([a])) for a in range(60)]
    lists = {"title": [f"T{a}" for a in range(60)], "emb": [list(corpus.vectors(r)) for r in rows]}
    pq.write_table(pa.table(lists), folder / "sentences.parquet")
    chunks = [[f"Sentence {c} of {a}." for c in range(8)] for a in range(30)]
    pq.write_table(pa.table({"title": [f"T{a}" for a in range(30)], "sentences": chunks}), folder / "articles.parquet")
    (folder / "articles.jsonl").write_text("\n".join(json.dumps({"text": "\n\n".join(one)}) for one in chunks))
    (folder / "my_encoder.py").write_text(ENCODER)


def _names(corpus: Corpus) -> list[str]:
    return [f"wiki/{a}" for a in corpus.article_of]


def _tables(corpus: Corpus, folder: Path) -> None:
    """The same chunks, with text for ids, in Parquet, JSON lines and a data set of Hugging Face's."""
    vectors = corpus.vectors(np.arange(corpus.size))
    columns = {"article_id": _names(corpus), "chunk_index": corpus.chunk_index, "embedding": list(vectors)}
    columns["text"] = [f"Chunk {c} of {name}." for name, c in zip(_names(corpus), corpus.chunk_index, strict=True)]
    table = pa.table(columns)
    pq.write_table(table, folder / "vectors.parquet")
    (folder / "vectors.jsonl").write_text("\n".join(json.dumps(row) for row in table.to_pylist()))
    (folder / "val.txt").write_text("\n".join(f"wiki/{a}" for a in range(15)))
    (folder / "ood.txt").write_text("\n".join(f"wiki/{a}" for a in range(15, 30)))
    (folder / "data_set").mkdir()
    with pa.ipc.new_stream(str(folder / "data_set" / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table)
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (folder / "data_set" / "state.json").write_text(json.dumps(state))


def _articles(corpus: Corpus, articles: range, file: Path) -> None:
    rows = corpus.rows_of(np.array(articles))
    np.savez(
        file,
        embeddings=corpus.vectors(rows),
        article_indices=corpus.article_of[rows],
        chunk_indices=corpus.chunk_index[rows],
    )
