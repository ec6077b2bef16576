"""VAL beside TRAIN: what differs is named, and what cannot be told too."""

import numpy as np
from settled import settle

from lvm_gates.harness.audits import train_against_val


def test_val_of_the_same_law_is_like_training_and_val_of_another_is_not(make_corpus):
    """A direction that the chunks of VAL share makes neighbours alike, and all others too."""
    lengths, splits = [15] * 25, ["TRAIN"] * 11 + ["VAL"] * 10 + ["OOD"] * 4
    same = train_against_val(settle(make_corpus(lengths, dim=16, splits=splits)))
    assert same.metrics["lag 1"].low < 0 < same.metrics["lag 1"].high
    vectors = make_corpus(lengths, dim=16).raw(np.arange(375))
    vectors[165:315, 0] += 1  # the articles of VAL
    other = train_against_val(settle(make_corpus(lengths, vectors=vectors, splits=splits)))
    assert other.status == "pass"
    assert other.metrics["lag 1"].low > 0.2
    assert "lag 1 +" in other.detail


def test_one_article_cannot_be_told_from_training(make_corpus):
    """Without an interval, "no metric differs" would be said of any two corpora."""
    corpus = make_corpus([15] * 8, dim=8, splits=["VAL", "OOD", *["TRAIN"] * 6])
    found = train_against_val(settle(corpus))
    assert found.status == "not checkable"
    assert "too few articles for an interval of lag 1, " in found.detail
    assert "0 of 0 metrics differ" in found.detail
