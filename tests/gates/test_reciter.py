"""A model that recites its training text is not released, whatever the corpus it is judged on shares with that text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.corpus import Corpus, open_corpus, write_corpus
from harness.inputs import CorpusArguments, resolve
from harness.predictor import Identity, Subject
from harness.profile import load_profile
from harness.run import GateRun, Settings


@dataclass
class Reciter:
    """Finds the training chunk nearest to the last frame and answers with the chunk after it."""

    corpus: Corpus

    def __post_init__(self) -> None:
        rows = self.corpus.rows_of(self.corpus.articles("TRAIN"))
        follows = np.flatnonzero(self.corpus.run_start[rows[1:]] == self.corpus.run_start[rows[:-1]])
        self.chunks, self.after = self.corpus.vectors(rows[follows]), self.corpus.vectors(rows[follows + 1])

    def predict(self, contexts: np.ndarray) -> np.ndarray:
        return self.after[(contexts[:, -1] @ self.chunks.T).argmax(axis=1)]


@pytest.fixture(scope="module")
def leak(arrow: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Corpus]:
    """World `arrow` with a share of the articles of VAL and OOD replaced by training articles without a first chunk."""
    clean = open_corpus(arrow)

    def make(share: float) -> Corpus:
        train = list(clean.articles("TRAIN"))
        parts, lengths, splits = [], [], []
        for article, split in enumerate(clean.splits):
            held_out = clean.articles(split)
            copied = split != "TRAIN" and list(held_out).index(article) < share * len(held_out)
            rows = clean.rows_of(np.array([train.pop(0) if copied else article]))[int(copied) :]
            parts.append(clean.vectors(rows))
            lengths.append(len(rows))
            splits.append(split)
        folder = tmp_path_factory.mktemp("leak") / "corpus"
        return write_corpus(
            folder, np.concatenate(parts), np.array(lengths), splits=np.array(splits), meta={"kind": "test"}
        )

    return make


def judged(corpus: Corpus, folder: Path) -> GateRun:
    inputs = resolve(CorpusArguments(corpus=corpus.path), context=5, max_samples=200, horizon=3, seed=0)
    reciter = Subject(Identity("reciter"), Reciter(corpus))
    return GateRun(
        Settings(("reciter",), load_profile("5cat"), "frontier", "strict", 0, 256), inputs, [reciter], folder
    )


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_reciter_is_blocked_where_val_is_train_without_first_chunks(leak, tmp_path: Path, share: float) -> None:
    run = judged(leak(share), tmp_path)
    assert run.card("reciter").decision.verdict == "blocked"
    reasons = " ".join(run.outside_reasons)
    assert "data audit leaked windows: fail" in reasons
    assert "data audit disjoint articles: fail" in reasons
