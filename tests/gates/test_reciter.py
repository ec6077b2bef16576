"""A model that recites its training text is not released, whatever the corpus it is judged on shares with that text."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.corpus.corpus import Corpus, open_corpus, write_corpus
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.report.terminal import render_terminal
from lvm_gates.harness.results.model import Arguments
from lvm_gates.harness.results.scorecard import build_scorecard


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
    """Dataset `arrow`, a share of whose VAL and OOD articles are training articles without their first chunk."""
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
    reciter = NamedPredictor(Identity("reciter"), Reciter(corpus))
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


def test_a_small_leak_is_left_out_and_shown(leak, tmp_path: Path) -> None:
    """One article of six would block; of one copied run of ten windows only the metrics know."""
    clean = leak(0.0)
    rows, source = clean.rows_of(clean.articles("VAL")[:1])[5:17], clean.rows_of(clean.articles("TRAIN")[:1])[5:17]
    vectors = clean.vectors(np.arange(clean.size))
    vectors[rows] = vectors[source]
    corpus = write_corpus(tmp_path / "c", vectors, clean.lengths, splits=clean.splits, meta={"kind": "test"})
    run = judged(corpus, tmp_path)
    card = run.card("reciter").record()
    assert not [reason for reason in run.outside_reasons if "audit" in reason]
    found = card["leaks"]["VAL"]
    assert 1 <= found["leaked"] <= 12
    metrics = found["figures"]["c(+1)"]
    assert metrics["with"].value > metrics["without"].value
    assert metrics["without"] == card["gates"]["A"]["VAL"]["c"]["1"]
    shown = " ".join(render_terminal(build_scorecard(run, Arguments(), {}), colour=False).split())
    assert f"{found['leaked']} of 200 VAL windows leaked and left out: c(+1)" in shown
