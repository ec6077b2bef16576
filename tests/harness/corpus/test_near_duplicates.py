"""Near duplicates against all pairs."""

import numpy as np
import pytest

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus import near_duplicates as module
from lvm_gates.harness.corpus.near_duplicates import NEAR, near_duplicates, nearest
from lvm_gates.harness.corpus.windows import windows_of


def all_pairs(windows, training):
    found = []
    for target in windows.target_vectors().astype(np.float64):
        nearest = max(
            float(unit(part.corpus.vectors(np.array([row])))[0] @ target)
            for part in training
            for article in np.unique(part.clusters)
            for row in range(part.corpus.starts[article], part.corpus.starts[article] + part.corpus.lengths[article])
        )
        found.append(nearest > NEAR)
    return np.array(found)


@pytest.mark.parametrize("block", [3, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_near_duplicates_are_what_all_pairs_say(make_corpus, monkeypatch, seed, block):
    monkeypatch.setattr("lvm_gates.harness.corpus.near_duplicates.SCAN_ROWS", block)
    # Four dimensions: a good part of random pairs lies above .9.
    judged = make_corpus([14], dim=4, seed=seed)
    one, two = make_corpus([7, 5], dim=4, seed=seed + 10), make_corpus([6], dim=4, seed=seed + 20)
    windows = windows_of(judged, np.arange(1), 2)
    training = [windows_of(one, np.arange(2), 2), windows_of(two, np.arange(1), 2)]
    found = near_duplicates(windows, training)
    np.testing.assert_array_equal(found, all_pairs(windows, training))
    assert 0 < found.sum() < len(found)


def test_a_target_is_a_duplicate_of_any_training_chunk_also_of_one_that_is_never_a_target(make_corpus):
    """The first frames of a training article are chunks too."""
    training = make_corpus([8], dim=16, splits="TRAIN", seed=1)
    vectors = np.array(make_corpus([10], dim=16, seed=2).stored)
    vectors[5] = training.stored[0]
    vectors[7] = -training.stored[3]
    judged = make_corpus([10], vectors=vectors)
    windows = windows_of(judged, np.arange(1), 3)
    found = near_duplicates(windows, [windows_of(training, np.arange(1), 3)])
    assert windows.targets[found].tolist() == [5]


@pytest.mark.parametrize(("cosine", "near"), [(0.905, True), (0.895, False)])
def test_the_line_is_a_cosine_of_nine_tenths(make_corpus, cosine, near):
    training = make_corpus([4], vectors=np.eye(8)[:4], splits="TRAIN")
    vectors = np.eye(8)[4:8]
    vectors[3] = cosine * np.eye(8)[2] + np.sqrt(1 - cosine**2) * np.eye(8)[7]
    windows = windows_of(make_corpus([4], vectors=vectors), np.arange(1), 3)
    assert near_duplicates(windows, [windows_of(training, np.arange(1), 3)]).tolist() == [near]


def test_without_training_nothing_is_a_duplicate(make_corpus):
    windows = windows_of(make_corpus([9], dim=4), np.arange(1), 3)
    assert near_duplicates(windows, ()).tolist() == [False] * 6


@pytest.mark.parametrize(("block", "vectors", "columns"), [(1000, 256, 2048), (10, 3, 4)])
def test_the_nearest_chunk_is_found_in_its_row_and_of_equals_the_first(
    make_corpus, monkeypatch, block, vectors, columns
):
    for name, size in (("SCAN_ROWS", block), ("_VECTORS", vectors), ("_COLUMNS", columns)):
        monkeypatch.setattr(module, name, size)
    corpus = make_corpus([30, 10], dim=4, copies={38: 9, 12: 9})
    rows = np.arange(3, 40)
    asked = corpus.vectors(np.array([9, 35, *range(0, 40, 4)]))
    best, where = nearest(asked, corpus, rows)
    similarity = asked @ corpus.vectors(rows).T
    assert where[0] == 9
    np.testing.assert_array_equal(where, rows[similarity.argmax(axis=1)])
    np.testing.assert_allclose(best, similarity.max(axis=1), atol=1e-6)


def test_among_no_chunks_none_is_nearest(make_corpus):
    corpus = make_corpus([3], dim=4)
    best, where = nearest(corpus.vectors(np.arange(2)), corpus, np.empty(0, dtype=np.int64))
    assert best.tolist() == where.tolist() == [-1, -1]
