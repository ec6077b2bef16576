"""Batches: which chunk is which, at every article's end and across a gap."""

import numpy as np
import pytest
import torch

from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.trainers.batches import MAX_VALIDATION_WINDOWS, Gatherer, training_windows
from lvm_gates.trainers.recipe import Needs
from lvm_gates.trainers.seeding import epoch_order, negatives_rng

CONTEXT = 3
LENGTHS = [9, 4, 12, 7, 6]
# After this chunk of article 2 some were dropped at the source.
GAP_AFTER = 5


@pytest.fixture(scope="module")
def gappy(tmp_path_factory):
    """A corpus whose vectors tell their row: coordinate 0 to 1 of row r is its angle."""
    n = sum(LENGTHS)
    angle = np.arange(n) / n
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    chunk_index = np.concatenate([np.arange(length) for length in LENGTHS])
    chunk_index[sum(LENGTHS[:2]) + GAP_AFTER + 1 : sum(LENGTHS[:3])] += 4
    splits = np.array(["TRAIN", "TRAIN", "TRAIN", "VAL", "TRAIN"])
    folder = tmp_path_factory.mktemp("gappy")
    return write_corpus(
        folder, vectors, np.array(LENGTHS), splits=splits, chunk_index=chunk_index, meta={"kind": "test"}
    )


def rows(vectors):
    """The rows that vectors come from."""
    angle = np.arctan2(vectors[..., 1].numpy(), vectors[..., 0].numpy())
    return np.rint(angle * sum(LENGTHS)).astype(int)


def gatherer(windows, rng=None, **needs):
    return Gatherer(Needs(**needs), torch.device("cpu"), rng or np.random.default_rng(0), windows.targets)


def windows_by_hand(corpus, context, target):
    """Every run of ``context + target`` consecutive chunks of one training article, from its definition."""
    found = []
    for first in range(corpus.size - context - target + 1):
        span = np.arange(first, first + context + target)
        one_article = len(set(corpus.article_of[span])) == 1
        if (
            one_article
            and (np.diff(corpus.chunk_index[span]) == 1).all()
            and corpus.splits[corpus.article_of[first]] == "TRAIN"
        ):
            found.append(span)
    return np.array(found)


@pytest.mark.parametrize("target", [1, 2, 3])
def test_context_before_and_target_are_consecutive_chunks_of_one_article(gappy, target):
    windows = training_windows(gappy, CONTEXT, target)[0]
    batch = gatherer(windows, target=target).gather(windows)
    spans = windows_by_hand(gappy, CONTEXT, target)
    np.testing.assert_array_equal(rows(batch.context), spans[:, :CONTEXT])
    np.testing.assert_array_equal(rows(batch.before), spans[:, -2])
    np.testing.assert_array_equal(rows(batch.target), spans[:, -1])
    np.testing.assert_array_equal(batch.article.numpy(), gappy.article_of[spans[:, 0]])
    np.testing.assert_allclose(batch.context.norm(dim=-1), 1, atol=1e-6)


@pytest.mark.parametrize("target", [1, 2])
@pytest.mark.parametrize("ahead", [0, 1, 2, 5])
def test_the_future_ends_with_the_article_and_at_a_gap(gappy, target, ahead):
    windows = training_windows(gappy, CONTEXT, target)[0]
    batch = gatherer(windows, target=target, ahead=ahead).gather(windows)
    last = windows_by_hand(gappy, CONTEXT, target)[:, -1]
    assert batch.future.shape == (len(last), ahead, 2)
    found = rows(batch.future)
    for i, row in enumerate(last):
        for j in range(1, ahead + 1):
            there = row + j < gappy.size and gappy.article_of[row + j] == gappy.article_of[row]
            there = bool(there and gappy.chunk_index[row + j] == gappy.chunk_index[row] + j)
            assert batch.future_exists[i, j - 1] == there
            if there:
                assert found[i, j - 1] == row + j


@pytest.mark.parametrize("target", [1, 2])
def test_negatives_are_the_articles_other_chunks_all_equally_likely(gappy, target):
    windows = training_windows(gappy, CONTEXT, target)[0]
    batch = gatherer(windows, target=target, negatives=4000).gather(windows)
    found, answer = rows(batch.negatives), rows(batch.target)
    for drawn, row in zip(found, answer, strict=True):
        article = gappy.article_of[row]
        others = [other for other in gappy.rows_of(np.array([article])) if other != row]
        drawn_rows, count = np.unique(drawn, return_counts=True)
        assert drawn_rows.tolist() == others
        expected = 4000 / len(others)
        # Five standard deviations.
        assert (np.abs(count - expected) < 5 * np.sqrt(expected)).all()


def test_an_article_of_one_window_has_its_context_as_negatives(gappy):
    windows = training_windows(gappy, CONTEXT)[0]
    only = windows.take(np.flatnonzero(windows.clusters == 1))
    assert len(only) == 1
    negatives = rows(gatherer(windows, negatives=50).gather(only).negatives)
    assert set(negatives[0].tolist()) == {9, 10, 11}


def test_foreign_negatives_are_any_training_target(gappy):
    windows = training_windows(gappy, CONTEXT)[0]
    batch = gatherer(windows, negatives=200, foreign_negatives=True).gather(windows)
    found = rows(batch.negatives)
    assert set(found.ravel().tolist()) == set(windows.targets.tolist())
    assert all(len(np.unique(gappy.article_of[drawn])) > 1 for drawn in found)


@pytest.mark.parametrize("foreign", [False, True])
def test_an_epochs_negatives_follow_from_seed_and_epoch(gappy, foreign):
    """As a run that is resumed in this epoch would draw them, whatever was drawn before."""
    windows = training_windows(gappy, CONTEXT)[0]

    def epoch(seed, number):
        made = gatherer(windows, negatives_rng(seed, number), negatives=2, foreign_negatives=foreign)
        order = epoch_order(len(windows), seed, number)
        return np.concatenate([rows(batch.negatives) for batch in made.batches(windows, order, 4)])

    first = epoch(0, 3)
    np.testing.assert_array_equal(epoch(0, 3), first)
    assert (epoch(0, 4) != first).any()
    assert (epoch(1, 3) != first).any()


def test_negatives_leave_the_order_of_the_windows_alone():
    assert (epoch_order(50, 0, 1) != negatives_rng(0, 1).permutation(50)).any()


def test_batches_hold_each_window_once_and_in_order(corpus):
    training, validation = training_windows(corpus, CONTEXT)
    assert len(training) == 12 * 11
    assert len(validation) == 4 * 11 <= MAX_VALIDATION_WINDOWS
    order = epoch_order(len(training), seed=0, epoch=1)
    assert sorted(order) == list(range(len(training)))
    assert (order != epoch_order(len(training), seed=0, epoch=2)).any()
    assert (order != epoch_order(len(training), seed=1, epoch=1)).any()
    batches = list(gatherer(training).batches(training, order, 50))
    assert [len(batch.target) for batch in batches] == [50, 50, 32]
    np.testing.assert_array_equal(torch.cat([b.context for b in batches]).numpy(), training.contexts()[order])
    np.testing.assert_array_equal(torch.cat([b.target for b in batches]).numpy(), training.target_vectors()[order])


def test_validation_windows_are_the_same_for_every_seed_and_drawn_from_all(make_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("lvm_gates.trainers.batches.MAX_VALIDATION_WINDOWS", 20)
    corpus = make_corpus(tmp_path, ["TRAIN", *["VAL"] * 6])
    validation = training_windows(corpus, CONTEXT)[1]
    np.testing.assert_array_equal(validation.targets, training_windows(corpus, CONTEXT)[1].targets)
    assert len(validation) == 20
    assert len(np.unique(validation.clusters)) > 3
