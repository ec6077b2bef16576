"""What a split is judged on: the offsets that are compared, and what is kept in memory."""

import numpy as np
import pytest

from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.evaluation import evaluation_set
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS


def test_the_prediction_is_compared_with_three_chunks_on_either_side_of_the_last_frame():
    assert tuple(range(-3, 4)) == OFFSETS


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [(179, False), (180, True), (299, True), (300, False)],
    ids=["the split is too large", "it just fits", "the corpus is larger", "the corpus keeps all by itself"],
)
def test_a_split_that_fits_is_gathered_once_whatever_is_asked_of_it(make_corpus, make_set, monkeypatch, numbers, kept):
    """Thirty chunks of six numbers in a corpus of fifty."""
    corpus = make_corpus([15, 20, 15], dim=6, splits=["VAL", "OOD", "VAL"])
    evaluation = make_set(corpus)
    asked, vectors = [], Corpus.vectors
    monkeypatch.setattr(evaluation_set, "KEPT_NUMBERS", numbers)
    monkeypatch.setattr(Corpus, "vectors", lambda self, rows: asked.append(np.size(rows)) or vectors(self, rows))
    wanted = np.array([[0, 3], [49, 36]])
    for _ in range(3):
        found = evaluation.vectors(wanted)
        np.testing.assert_array_equal(found, vectors(corpus, wanted))
    assert asked == ([30] if kept else [4, 4, 4])
