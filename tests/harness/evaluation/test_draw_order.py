"""Every window has its place, whole articles stay whole, looks grow, and size alone decides who comes first."""

import numpy as np
import pytest

from lvm_gates.harness.evaluation.draw_order import SHARES, DrawOrder, draw_orders
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.evaluation.window_facts import window_facts

CLUSTERS = np.repeat(np.arange(40), np.arange(1, 41))


def order_of(by, seed=0, clusters=CLUSTERS):
    return DrawOrder.of(clusters, by, np.random.default_rng(seed))


@pytest.mark.parametrize("by", ["articles", "windows"])
def test_looks_grow_and_the_last_one_sees_everything(by):
    order = order_of(by)
    assert list(order.cuts) == sorted(order.cuts)
    assert len(order.cuts) == len(SHARES)
    parts = [order.new(look) for look in range(len(SHARES))]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(CLUSTERS)))
    for look, share in enumerate(SHARES):
        seen = order.seen(look)
        assert set(seen) == set(np.concatenate(parts[: look + 1]))
        assert len(seen) >= round(share * len(CLUSTERS))
    assert len(order.seen(len(SHARES) - 1)) == len(CLUSTERS)


def test_articles_are_drawn_whole_and_ten_at_least():
    order = order_of("articles")
    for look in range(len(SHARES)):
        seen = np.unique(CLUSTERS[order.seen(look)])
        assert len(seen) == order.cuts[look] >= 10
        assert len(order.seen(look)) == (seen + 1).sum()


def test_windows_of_all_articles_are_drawn():
    assert len(np.unique(CLUSTERS[order_of("windows").seen(2)])) > 30


def test_a_few_articles_are_all_seen_at_once():
    assert order_of("articles", clusters=np.array([3, 3, 7])).cuts == (2,) * len(SHARES)


def test_an_article_comes_first_as_often_as_it_has_windows():
    clusters = np.repeat([0, 1], [1, 3])
    first = [order_of("articles", seed, clusters).weights[0] == 3 for seed in range(2000)]
    assert np.mean(first) == pytest.approx(0.75, abs=0.03)


def test_totals_are_those_of_the_units():
    order = order_of("articles")
    values = np.random.default_rng(0).random(len(CLUSTERS))
    exists = values > 0.2
    totals, counts = order.sums(values[order.seen(3)], exists, 3)
    for article in range(40):
        mine = (article == CLUSTERS) & exists
        place = order.unit[article == CLUSTERS][0]
        assert counts[place] == mine.sum()
        if place < order.cuts[3]:
            assert totals[place] == pytest.approx(values[mine].sum())
    assert len(totals) == order.cuts[3]


def test_splits_are_drawn_independently_and_by_the_seed_alone():
    both = {"VAL": CLUSTERS, "OOD": CLUSTERS}
    first, again, other = (draw_orders(both, "articles", seed) for seed in (1, 1, 2))
    assert (first["VAL"].unit == again["VAL"].unit).all()
    assert (first["VAL"].unit != first["OOD"].unit).any()
    assert (first["VAL"].unit != other["VAL"].unit).any()


def test_what_is_known_beforehand_is_what_is_observed(make_corpus, make_set, as_named, scrambler):
    corpus = make_corpus([9, 14, 30, 8, 300], jumps={30: 2})
    evaluation = make_set(corpus)
    facts = window_facts(evaluation)
    observed = observe(as_named(scrambler(3, 8)), evaluation, batch_size=64)
    assert (facts.offset_exists == observed.offset_exists).all()
    assert not facts.offset_exists.all()
    assert (facts.rollout_exists == observed.rollout_exists).all()
    assert (facts.cross_exists == observed.cross_exists).all()
    assert facts.coherence == pytest.approx(observed.coherence, abs=1e-12)
