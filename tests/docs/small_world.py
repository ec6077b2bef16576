"""Everything that the pages' commands name, small: corpora, article files, a checkpoint, texts, models of a user's."""

import stat
import sys
from pathlib import Path

import numpy as np

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


def make_world(folder: Path) -> None:
    """Fill a folder; the checkpoint is trained by whoever asks for it."""
    corpus = synthesise("arrow", folder / "my_corpus", articles=60, dim=32, seed=1)
    _articles(corpus, range(60), folder / "wiki.npz")
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


def _articles(corpus: Corpus, articles: range, file: Path) -> None:
    rows = corpus.rows_of(np.array(articles))
    np.savez(
        file,
        embeddings=corpus.vectors(rows),
        article_indices=corpus.article_of[rows],
        chunk_indices=corpus.chunk_index[rows],
    )
