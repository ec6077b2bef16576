"""Direction of time on simulated chains: what sees it, what cannot, and how wide the interval is."""

import itertools

import numpy as np
import pytest

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.arrow_of_time import (
    Arrow,
    arrow_of_time,
    cached_arrow_of_time,
    lag_products,
    symmetric_auc,
)
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.worlds.world import synthesise

CONTEXT = 5


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """world(name, seed): sixty articles of a world, narrow so that it takes a fraction of a second."""

    def make(name, seed=0):
        return synthesise(name, tmp_path_factory.mktemp(name), articles=60, dim=16, seed=seed)

    return make


def arrow_of(corpus, context=CONTEXT, seed=0):
    return arrow_of_time(corpus, np.arange(len(corpus.starts)), context, seed)


def delta(corpus):
    """The original statistic: cos(x_t, x_t+1) - cos(x_t, x_t-1), averaged over the chunks that have both."""
    x, inside = corpus.vectors(np.arange(corpus.size)), corpus.run_end - corpus.run_start > 2
    t = np.flatnonzero(
        inside & (np.arange(corpus.size) > corpus.run_start) & (np.arange(corpus.size) + 1 < corpus.run_end)
    )
    return float(np.mean((x[t] * x[t + 1]).sum(axis=1) - (x[t] * x[t - 1]).sum(axis=1)))


def test_a_rotating_chain_is_detected_and_its_shuffle_is_not(world):
    found = arrow_of(world("arrow"))
    assert found.auc.low > 0.95
    assert found.null.low < 0.5 < found.null.high
    assert found.components == 16
    assert found.auc.n == found.null.n == len(windows_of(world("arrow"), np.arange(60), CONTEXT))


def test_a_chain_played_backwards_has_as_much_direction(world):
    assert arrow_of(world("reversed")).auc.low > 0.95


def test_a_reversible_chain_has_none_within_its_interval(world):
    """Synthetic dataset `wiki` is an autoregression with R = identity: reversible. Chance spoils one draw in twenty."""
    found = [arrow_of(world("wiki", seed), seed=seed).auc for seed in range(10)]
    covered = sum(one.low <= 0.5 <= one.high for one in found)
    assert covered >= 8  # fewer than eight of ten at 95 % has probability .011
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.02)
    assert all(0.01 < one.high - one.value < 0.1 for one in found)


def test_a_shuffled_world_has_none(world):
    found = arrow_of(world("shuffled"))
    assert found.auc.low < 0.5 < found.auc.high


def test_the_null_does_not_hang_on_one_shuffle(world, monkeypatch):
    """One shuffle strays from .5 by chance: of the mean of several no seed is outside its interval, and AUC stays."""
    corpora = [world("wiki", seed) for seed in range(12)]
    found = [arrow_of(corpus, seed=seed) for seed, corpus in enumerate(corpora)]
    monkeypatch.setattr("lvm_gates.harness.corpus.arrow_of_time.SHUFFLES", 1)
    single = [arrow_of(corpus, seed=seed) for seed, corpus in enumerate(corpora)]
    assert [one.auc for one in found] == [one.auc for one in single]
    assert all(one.null.low < 0.5 < one.null.high for one in found)
    assert np.std([one.null.value for one in found]) < 0.7 * np.std([one.null.value for one in single])
    widths = [[one.null.high - one.null.low for one in some] for some in (found, single)]
    assert np.mean(widths[0]) == pytest.approx(np.mean(widths[1]), rel=0.1)


def test_the_original_delta_is_blind_to_both(world):
    """It telescopes: a chain whose whole future turns one way has the same delta as one without any direction."""
    reversible, rotating = world("wiki"), world("arrow")
    assert abs(delta(reversible)) < 0.003
    assert abs(delta(rotating)) < 0.003
    assert arrow_of(rotating).auc.low > 0.95


def test_an_article_is_never_in_training_and_held_out(make_corpus):
    """Direction that is plain inside an article and says nothing about others: by article AUC .5, by window more."""
    rng = np.random.default_rng(0)
    # Every article turns in a plane of its own, one way or the other.
    articles = []
    for i in range(40):
        plane = np.zeros((2, 8))
        plane[[0, 1], rng.choice(8, 2, replace=False)] = 1
        turn = np.arange(30) * 0.8 * (1 if i % 2 else -1)
        articles.append(np.stack([np.cos(turn), np.sin(turn)], axis=1) @ plane + 0.1 * rng.standard_normal((30, 8)))
    corpus = make_corpus([30] * 40, vectors=unit(np.concatenate(articles)))
    found = arrow_of(corpus, context=3)
    assert found.auc.low < 0.5 < found.auc.high


def test_the_components_are_not_learned_from_the_article_that_is_held_out(make_corpus, monkeypatch):
    """Two articles that turn in two planes, each mostly in its own: from the other's plane one looks reversed."""
    monkeypatch.setattr("lvm_gates.harness.corpus.arrow_of_time.COMPONENTS", 2)

    def article(length, first, second, way):
        angles = np.arange(length)[:, None] * np.array([0.7, way * 1.3])
        x, y = np.cos(angles) * [first, second], np.sin(angles) * [first, second]
        return np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)

    corpus = make_corpus([300, 200], vectors=unit(np.concatenate([article(300, 4, 1, -1), article(200, 1, 4, 1)])))
    found = arrow_of(corpus, context=5)
    # The long one is scored negative, seen in the plane of the short; the short one positive in that of the long.
    # Components of both together are the plane of the long one, in which both turn the same way: AUC 1.
    assert found.components == 2
    assert found.auc.value < 0.9


def test_lag_products_change_sign_with_the_direction_and_ignore_the_rest():
    x = np.random.default_rng(0).standard_normal((4, 6, 3)).astype(np.float32)
    found = lag_products(x)
    expected = [
        [sum(w[t, i] * w[t + 1, j] - w[t + 1, i] * w[t, j] for t in range(5)) for i, j in ((0, 1), (0, 2), (1, 2))]
        for w in x
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(lag_products(x[:, ::-1]), -found, rtol=1e-4, atol=1e-5)


def test_auc_is_the_share_of_pairs_in_the_right_order():
    scores = np.array([0.3, -0.2, 0.2, 0.0, 1.5, -0.3])
    wins = [1.0 if a > -b else 0.5 if a == -b else 0.0 for a, b in itertools.product(scores, scores)]
    found = symmetric_auc(scores, np.array([0, 0, 1, 1, 2, 2]))
    assert found.value == pytest.approx(np.mean(wins))
    assert found.n == 6


def test_the_interval_is_as_wide_as_auc_varies():
    """Against 400 fresh draws of thirty articles that share a score."""
    clusters, values, halves = np.repeat(np.arange(30), 8), [], []
    rng = np.random.default_rng(0)
    for _ in range(400):
        scores = 0.3 + np.repeat(rng.standard_normal(30), 8) + rng.standard_normal(240)
        found = symmetric_auc(scores, clusters)
        values.append(found.value)
        halves.append(found.high - found.value)
    assert np.mean(halves) == pytest.approx(2.045 * np.std(values), rel=0.1)


@pytest.mark.parametrize("lengths", [[20], [20, 3, 2]])
def test_one_article_with_windows_gives_no_metric(make_corpus, lengths):
    found = arrow_of(make_corpus(lengths))
    assert isinstance(found, Arrow)
    assert np.isnan(found.auc.value)
    assert np.isnan(found.null.value)


def test_repeated_chunks_have_no_direction(make_corpus):
    found = arrow_of(make_corpus([12, 12, 12], vectors=np.repeat(np.eye(8)[:3], 12, axis=0)))
    assert found.auc.value == pytest.approx(0.5)


def test_the_same_seed_gives_the_same_metrics(world):
    corpus = world("arrow")
    assert arrow_of(corpus, seed=3) == arrow_of(corpus, seed=3)
    assert arrow_of(corpus, seed=3).null != arrow_of(corpus, seed=4).null


def test_the_arrow_is_kept_by_corpus_and_seed(world, monkeypatch, tmp_path):
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    asked = []

    def watched(corpus, articles, context, seed):
        asked.append(seed)
        return arrow_of_time(corpus, articles, context, seed)

    monkeypatch.setattr("lvm_gates.harness.corpus.arrow_of_time.arrow_of_time", watched)
    corpus = world("wiki")
    articles = np.arange(len(corpus.starts))
    first, again, other = (cached_arrow_of_time(corpus, articles, 5, seed) for seed in (0, 0, 1))
    assert asked == [0, 1]
    assert first == again == arrow_of_time(corpus, articles, 5, 0)
    assert other != first
    few = cached_arrow_of_time(corpus, articles[:1], 5, 0)
    assert np.isnan(few.auc.low)
