"""Planted leaks are found, unrelated text is not, and the rate of false alarms is the stated one."""

import numpy as np
import pytest
from chained_text import all_lasts, chunks, text

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.leaks.chunks import Chunks
from lvm_gates.harness.leaks.detection import find_leaks
from lvm_gates.harness.leaks.null import RATE
from lvm_gates.harness.leaks.search import rivalry


@pytest.fixture(scope="module")
def training():
    return text(200, 100, seed=1)


def share_found(vectors, lengths, training):
    queries = chunks(vectors, lengths)
    return find_leaks(queries, all_lasts(queries), chunks(training, [100] * 200)).leaked


def test_nothing_to_search_finds_nothing():
    queries, one = chunks(text(2, 5, seed=0), [5, 5]), chunks(text(1, 1, seed=0), [1])
    assert not find_leaks(queries, all_lasts(queries), one).leaked.any()
    assert len(find_leaks(queries, np.empty(0, dtype=np.int64), queries).leaked) == 0


# false alarms


def test_a_reference_of_a_single_pair_is_searched_and_one_chunk_is_no_pair():
    vectors = text(1, 20, seed=3)
    queries, lasts = chunks(vectors, [20]), np.arange(19)
    (found,) = np.flatnonzero(find_leaks(queries, lasts, chunks(vectors[6:8], [2])).leaked)
    assert lasts[found] == 6
    assert not find_leaks(queries, lasts, chunks(vectors[6:7], [1])).leaked.any()


def test_the_null_does_not_depend_on_how_the_articles_are_numbered():
    long, short = text(1, 297, seed=6), text(1, 3, seed=7)
    queries = chunks(text(6, 40, seed=5), [40] * 6)
    nulls = [
        find_leaks(queries, all_lasts(queries), chunks(np.concatenate(parts), list(map(len, parts)))).null
        for parts in ([long, short], [short, long])
    ]
    assert nulls[0] == pytest.approx(nulls[1])


def test_unrelated_text_is_called_leaked_at_about_the_stated_rate(training):
    """Of 7,920 windows 8 are expected; text(...) of other seeds has 1 to 13."""
    found = share_found(text(80, 100, seed=2), [100] * 80, training)
    assert 0 < found.mean() < 2.5 * RATE


def test_where_time_has_a_direction_like_states_go_on_alike_and_that_is_no_leak(arrow):
    parts = {s: arrow.rows_of(arrow.articles(s)) for s in ("TRAIN", "VAL")}
    queries, reference = (
        Chunks(lambda p, rows=rows: arrow.vectors(rows[p]), arrow.run_start[rows], arrow.article_of[rows])
        for rows in (parts["VAL"], parts["TRAIN"])
    )
    lasts = all_lasts(queries)
    found = rivalry(queries, lasts, reference)
    assert np.median(found.forwards.likeness) > np.median(found.backwards.likeness) + 0.05
    assert find_leaks(queries, lasts, reference).leaked.mean() < 0.01


# planted leaks


def noisy(vectors, cosine, seed=0):
    noise = unit(np.random.default_rng(seed).standard_normal(vectors.shape))
    noise = unit(noise - np.einsum("nd,nd->n", noise, vectors)[:, None] * vectors)
    return cosine * vectors + np.sqrt(1 - cosine**2) * noise


CHANGES = {
    "exact": lambda x: x,
    "float16, not normalised": lambda x: 3 * x.astype(np.float16).astype(np.float32),
    "re-embedded": lambda x: noisy(x, 0.99),
    "paraphrased": lambda x: noisy(x, 0.85),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_runs_of_copies_are_found_however_many_there_are(training, change, share):
    """The middle thirty chunks of some training articles in the middle of VAL articles, or all of VAL."""
    judged, leaked = text(50, 100, seed=7), np.zeros(5000, dtype=bool)
    for article in range(round(50 * min(1.0, share / 0.3)) if share < 1 else 50):
        run = slice(100 * article + 35, 100 * article + 65) if share < 1 else slice(100 * article, 100 * article + 100)
        judged[run] = CHANGES[change](training[10_000 + run.start : 10_000 + run.stop])
        leaked[run] = True
    queries = chunks(judged, [100] * 50)
    lasts = all_lasts(queries)
    found = find_leaks(queries, lasts, chunks(training, [100] * 200)).leaked
    planted = leaked[lasts] & leaked[lasts + 1]
    assert found[planted].mean() >= 0.95
    assert found[~leaked[lasts] & ~leaked[lasts + 1]].sum() <= 0.005 * len(lasts)


@pytest.mark.parametrize("start", [1, 7])
def test_trimmed_leads_hide_nothing(training, start):
    kept = training.reshape(200, 100, -1)[:30, start:]
    assert share_found(kept.reshape(-1, 64), [100 - start] * 30, training).mean() > 0.99


def test_chunks_cut_anew_are_found_by_their_runs(training):
    """Each the sum of two halves: no pair stands out as much as the order of all of them."""
    articles = training.reshape(200, 100, -1)[:30]
    halves = unit(articles[:, :-1] + articles[:, 1:]).reshape(-1, 64)
    assert share_found(halves, [99] * 30, training).mean() >= 0.95


def test_copies_of_chunks_in_another_order_are_no_leak(training):
    """A reciter of the next chunk gains nothing from them."""
    order = np.random.default_rng(0).permutation(3000)
    found = share_found(training[:3000][order], [100] * 30, training)
    # Neighbours by chance: none of 3,000 on average one.
    assert found.mean() < 0.01


def test_copies_within_a_split_count_in_other_articles_only():
    judged = text(20, 50, seed=9)
    queries = chunks(judged, [50] * 20)
    assert find_leaks(queries, all_lasts(queries), queries, own=True).leaked.mean() < 0.01
    judged[100:150] = judged[700:750]
    twice = chunks(judged, [50] * 20)
    lasts = all_lasts(twice)
    found = find_leaks(twice, lasts, twice, own=True).leaked
    assert set(np.unique(twice.articles[lasts[found]])) >= {2, 14}
    assert found[np.isin(twice.articles[lasts], [2, 14])].all()
