"""The null: which likeness chance offers, and how rarely unrelated text goes beyond it."""

import numpy as np
import pytest
from chained_text import all_lasts, chunks, text

from lvm_gates.harness.leaks import null
from lvm_gates.harness.leaks.chunks import Chunks
from lvm_gates.harness.leaks.null import RATE, Null, null_of, tail_threshold
from lvm_gates.harness.leaks.search import rivalry


def test_the_tail_is_that_of_the_bulk_whatever_a_few_copies_do():
    sample = np.random.default_rng(0).exponential(size=2000)
    expected = np.log(1 / RATE)
    assert tail_threshold(sample, RATE) == pytest.approx(expected, rel=0.15)
    sample[:20] = 1000.0
    assert tail_threshold(sample, RATE) == pytest.approx(expected, rel=0.25)


def test_ties_do_not_flatten_the_tail():
    """Signatures of 80 bits have likenesses .025 apart; most of the last tenth may be one value."""
    sample = np.random.default_rng(1).exponential(size=5000) * 0.03
    assert tail_threshold(np.round(sample / 0.025) * 0.025, RATE) == pytest.approx(
        tail_threshold(sample, RATE), rel=0.2
    )


def test_the_tail_begins_at_the_tenth_part_or_at_ten_decoys_and_falls_by_half_at_its_median_excess():
    for n, kept in ((30, 10), (400, 40), (5, 4)):
        decoys = np.arange(n) / 100
        foot, half = decoys[-kept - 1], np.median(decoys[-kept:]) - decoys[-kept - 1]
        for halvings in (0, 1, 3):
            assert tail_threshold(decoys, kept / n / 2**halvings) == pytest.approx(foot + halvings * half)
        assert tail_threshold(decoys, 0.95) == pytest.approx(foot), "no threshold lies below the tail"


def test_ties_are_spread_over_the_step_between_values():
    found = null._without_ties(np.array([2.0, 1.0, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(found, [0.75, 1.25, 1.75, 2.25, 3.0])
    np.testing.assert_array_equal(null._without_ties(np.full(3, 0.5)), [0.5] * 3)


def test_the_sample_is_of_whole_articles_spread_over_the_split():
    """Two thousand windows are a fifth of a hundred articles of a hundred."""
    found = null._whole_articles(np.repeat(np.arange(100) * 3, 100))
    assert len(found) == 2_000
    articles = np.unique(found // 100)
    assert len(articles) == 20
    assert (articles[0], articles[-1]) == (0, 99)
    assert set(np.diff(articles)) == {5, 6}
    np.testing.assert_array_equal(null._whole_articles(np.repeat([4, 7], 5)), np.arange(10))
    assert len(null._whole_articles(np.repeat([4, 7], 9_000))) == 9_000, "one article at least"


def test_the_thresholds_are_the_tail_of_the_decoys_and_what_order_is_worth():
    queries, reference = chunks(text(10, 40, seed=2), [40] * 10), chunks(text(20, 40, seed=1), [40] * 20)
    lasts = all_lasts(queries)
    nobody = np.full((len(lasts), 1), -1)
    decoys = rivalry(queries, lasts, reference, nobody).decoy
    decoys = decoys[decoys > -1].astype(np.float64)
    found = null_of(queries, lasts, reference, nobody)
    worth = found.alone - tail_threshold(decoys, 0.0005)
    assert -1e-12 <= worth < 0.02
    assert found.in_run - tail_threshold(decoys, 0.1) == pytest.approx(worth)
    assert 5 <= found.votes < 9


def test_without_unrelated_text_only_copies_are_leaks():
    """A reference of one article that every window is from: no decoy, and no run tells anything."""
    vectors = text(1, 40, seed=1)
    queries = chunks(vectors, [40])
    lasts = all_lasts(queries)
    assert null_of(queries, lasts, queries, np.zeros((39, 1), dtype=np.int64)) == Null(0.99, 0.99, 9)


def test_where_order_is_worth_something_the_thresholds_rise_and_runs_say_nothing(arrow):
    """Capped where two copies embedded anew are alike."""
    rows = arrow.rows_of(arrow.articles("VAL"))
    queries = Chunks(lambda p: arrow.vectors(rows[p]), arrow.run_start[rows], arrow.article_of[rows])
    lasts = all_lasts(queries)
    own = queries.articles[lasts][:, None]
    found, best = null_of(queries, lasts, queries, own), rivalry(queries, lasts, queries, own)
    worth = np.median(best.forwards.likeness) - np.median(best.backwards.likeness)
    assert worth > 0.05
    decoys = best.decoy[best.decoy > -1].astype(np.float64)
    assert found.in_run == pytest.approx(tail_threshold(decoys, 0.1) + worth)
    assert found.alone <= 0.99
    assert found.votes == 9
