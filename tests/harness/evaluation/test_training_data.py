"""Has a model seen what it is judged on? By the hashes of articles and the share of windows that it records."""

import hashlib

import numpy as np
import pytest

from lvm_gates.harness.evaluation.contamination import RECORD, article_hashes, judge_training_data
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.leaks.record import Part, TrainingRecord

KNOWN = TrainingRecord((Part(np.zeros(8), np.zeros((3, 10), dtype=np.uint8), np.array([3])),))


@pytest.fixture
def inputs(make_corpus):
    corpus = make_corpus([12] * 6, splits=["VAL", "OOD"] * 3, article_ids=np.arange(70, 76))
    return resolve(CorpusArguments(corpus=corpus.path), context=3, max_samples=100, horizon=2, seed=0)


def test_an_article_is_hashed_by_the_signs_of_its_chunks_in_order(make_corpus):
    """The same for ever: checkpoints record it. A zero counts as not positive."""
    corpus = make_corpus([1, 2], vectors=[[9, 0, -2, 1, -1, -1, 3, 0], [1] * 8, [-1] * 8], article_ids=np.array([5, 6]))
    assert article_hashes(corpus, np.arange(2)) == {
        hashlib.blake2b(bytes([0b10010010]), digest_size=16).hexdigest(): "5",
        hashlib.blake2b(bytes([0b11111111, 0]), digest_size=16).hexdigest(): "6",
    }


def test_a_judged_article_among_those_recorded_contaminates(inputs):
    seen = list(article_hashes(inputs.corpus, np.array([1, 2, 3])))
    found = judge_training_data({RECORD: [*seen, 7, "0f"]}, KNOWN, {}, inputs)
    assert found.status == "contaminated"
    assert found.detail == "; ".join(found.reasons)
    assert found.reasons[0] == "contaminated: trained on 1 of the 3 VAL articles (article 72, for one)"
    assert found.reasons[1].startswith("contaminated: trained on 2 of the 3 OOD articles (article 7")
    elsewhere = judge_training_data({RECORD: ["0f"]}, KNOWN, {}, inputs)
    assert (elsewhere.status, elsewhere.reasons) == ("clean", ())


@pytest.mark.parametrize(
    ("leaked", "status"), [(0, "clean"), (10, "clean"), (11, "contaminated"), (100, "contaminated")]
)
def test_more_than_a_tenth_of_the_windows_of_a_split_contaminates(inputs, leaked, status):
    recorded = {"VAL": np.zeros(100, dtype=bool), "OOD": np.arange(100) < leaked}
    found = judge_training_data({}, KNOWN, recorded, inputs)
    assert found.status == status
    assert f"{leaked} of 100 OOD windows" in found.detail
    assert len(found.reasons) == (status == "contaminated")
    if status == "clean":
        assert (
            found.detail
            == f"0 of 100 VAL windows, {leaked} of 100 OOD windows stand in what it records and are left out"
        )


def test_what_is_not_recorded_cannot_be_checked_and_the_sentence_says_why(inputs):
    for provenance, said in (
        (None, "records no chunks"),
        ({RECORD: "0f"}, "records no chunks"),
        ({RECORD: ["0f"]}, "no judged article is among those that it records"),
    ):
        found = judge_training_data(provenance, None, {}, inputs)
        assert (found.status, found.reasons) == ("not checkable", ())
        assert said in found.detail
