"""The portrait of a corpus against brute force, and its intervals against the other way to reach them."""

import itertools

import numpy as np
import pytest
from msgspec.structs import astuple

from lvm_gates.harness.base.estimate import cluster_mean
from lvm_gates.harness.corpus import corpus_statistics as portrait
from lvm_gates.harness.corpus.corpus_statistics import LAGS, difference, excludes_zero, portray, some_articles


@pytest.fixture(scope="module")
def corpus(make_corpus):
    return make_corpus([14, 9, 3, 12], dim=5, jumps={6: 2, 20: 3})


def everything(corpus):
    return np.arange(len(corpus.starts))


def linked(corpus, lag):
    """Pairs of rows ``lag`` apart, of one article and without a gap between."""
    key = [(a, c) for a, c in zip(corpus.article_of.tolist(), corpus.chunk_index.tolist(), strict=True)]
    steps = [key[i + 1] == (key[i][0], key[i][1] + 1) for i in range(corpus.size - 1)]
    return [i for i in range(corpus.size - lag) if all(steps[i : i + lag])]


@pytest.mark.parametrize("block", [4, 10_000])
def test_lags_and_temporal_signal_are_what_all_pairs_say(corpus, monkeypatch, block):
    monkeypatch.setattr(portrait, "SCAN_ROWS", block)
    x = corpus.vectors(np.arange(corpus.size)).astype(np.float64)
    found = portray([(corpus, everything(corpus))], 3)
    assert (found.articles, found.chunks) == (4, 38)
    for lag in LAGS:
        rows = linked(corpus, lag)
        values = np.array([x[i] @ x[i + lag] for i in rows])
        expected = cluster_mean(values, corpus.article_of[rows])
        np.testing.assert_allclose(astuple(found.metrics[f"lag {lag}"].estimate), astuple(expected), atol=1e-6)
    first = linked(corpus, 3)
    values = np.array([x[i + 2] @ x[i + 3] - x[i] @ x[i + 3] for i in first])
    expected = cluster_mean(values, corpus.article_of[first])
    np.testing.assert_allclose(astuple(found.metrics["temporal signal"].estimate), astuple(expected), atol=1e-6)


def cross_pairs(corpus, articles):
    x, rows = corpus.vectors(np.arange(corpus.size)).astype(np.float64), corpus.rows_of(articles)
    pairs = itertools.combinations(rows, 2)
    return np.mean([x[i] @ x[j] for i, j in pairs if corpus.article_of[i] != corpus.article_of[j]])


def test_random_pairs_are_all_pairs_of_different_articles_with_a_jackknife(make_corpus):
    shifted = make_corpus([5, 4, 6, 3], dim=4).raw(np.arange(18)) + 1
    corpus = make_corpus([5, 4, 6, 3], vectors=shifted)
    found = portray([(corpus, np.arange(4))], 2).metrics
    value = cross_pairs(corpus, np.arange(4))
    assert found["random pair"].value == pytest.approx(value)
    assert found["norm of mean"].value == pytest.approx(np.sqrt(value))


def test_the_interval_of_random_pairs_is_that_of_their_jackknife(make_corpus):
    corpus, articles = make_corpus([3] * 12, vectors=make_corpus([3] * 12, dim=4).raw(np.arange(36)) + 1), np.arange(12)
    found = portray([(corpus, articles)], 2).metrics["random pair"]
    without = np.array([cross_pairs(corpus, np.delete(articles, a)) for a in articles])
    error = np.sqrt(11 / 12 * np.sum((without - without.mean()) ** 2))
    assert found.estimate.high - found.value == pytest.approx(2.200985 * error)
    assert found.estimate.articles == 12


def test_the_norm_of_the_mean_does_not_grow_as_articles_get_few(make_corpus):
    """Forty articles without a common mean: topics of their own would make a plain mean .16 long."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.standard_normal((40, 64)), 6, axis=0) + 0.3 * rng.standard_normal((240, 64))
    corpus = make_corpus([6] * 40, vectors=vectors)
    assert np.linalg.norm(corpus.vectors(np.arange(240)).mean(axis=0)) > 0.14
    found = portray([(corpus, np.arange(40))], 2).metrics["random pair"].estimate
    assert found.low < 0 < found.high
    assert abs(found.value) < 0.005


def test_a_paired_difference_is_shorter_where_articles_share_what_moves_them(make_corpus):
    rng = np.random.default_rng(0)
    shared = np.repeat(rng.uniform(0, 3, 12), 10)[:, None] * np.eye(8)[0]
    one, other = (
        make_corpus([10] * 12, vectors=shared + make_corpus([10] * 12, seed=seed).raw(np.arange(120)))
        for seed in (1, 2)
    )
    a, b = (portray([(corpus, np.arange(12))], 3).metrics["lag 1"] for corpus in (one, other))
    paired, apart = (difference(b, a, paired=flag) for flag in (True, False))
    assert paired.value == apart.value == pytest.approx(b.value - a.value)
    assert paired.high - paired.value < 0.6 * (apart.high - apart.value)
    assert astuple(difference(a, a, paired=True))[:3] == (0, 0, 0)
    assert not excludes_zero(difference(a, a, paired=True))


def test_parts_of_several_corpora_are_one_portrait(make_corpus):
    whole = make_corpus([9, 8, 7], dim=6)
    parts = [make_corpus([k], vectors=whole.raw(rows)) for k, rows in ((9, np.arange(9)), (7, np.arange(17, 24)))]
    joined = portray([(part, np.arange(1)) for part in parts], 3)
    direct = portray([(whole, np.array([0, 2]))], 3)
    for name, metric in direct.metrics.items():
        np.testing.assert_allclose(astuple(joined.metrics[name].estimate), astuple(metric.estimate), equal_nan=True)


def test_a_metric_without_a_pair_is_undefined(make_corpus):
    found = portray([(make_corpus([3, 2], dim=4), np.arange(2))], 5).metrics
    assert np.isnan(found["lag 3"].value)
    assert found["lag 3"].estimate.n == 0
    assert found["lag 2"].estimate.articles == 1  # the other has no such pair
    assert found["lag 1"].estimate.articles == 2
    assert np.isfinite(found["lag 1"].value)
    assert np.isnan([found[name].estimate.low for name in ("lag 1", "lag 2", "random pair")]).all()


def test_large_corpora_are_sampled_by_article(make_corpus, monkeypatch):
    monkeypatch.setattr(portrait, "MAX_CHUNKS", 30)
    corpus = make_corpus([10] * 8)
    chosen = some_articles(corpus, np.arange(8), 0)
    assert len(chosen) == 3
    assert chosen.tolist() == sorted(set(chosen.tolist())) == some_articles(corpus, np.arange(8), 0).tolist()
    assert some_articles(corpus, np.array([5, 2]), 0).tolist() == [2, 5]


def test_at_least_two_articles_are_looked_at_however_large(make_corpus, monkeypatch):
    monkeypatch.setattr(portrait, "MAX_CHUNKS", 5)
    corpus = make_corpus([10] * 4)
    assert len(some_articles(corpus, np.arange(4), 0)) == 2
