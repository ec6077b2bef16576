"""Planted leaks are found, unrelated text is not, and the rate of false alarms is the stated one."""

import numpy as np
import pytest

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.leaks.chunks import Chunks, joined
from lvm_gates.harness.leaks.detection import find_leaks
from lvm_gates.harness.leaks.null import RATE, tail_threshold
from lvm_gates.harness.leaks.runs import drawn_along, votes
from lvm_gates.harness.leaks.search import Pairs, likeness_at, nearest_pairs, rivalry


def chunks(vectors, lengths):
    """Articles one after another."""
    held = unit(np.asarray(vectors)).astype(np.float32)
    articles = np.repeat(np.arange(len(lengths)), lengths)
    return Chunks(lambda positions: held[positions], articles, articles)


def all_lasts(queries):
    return np.flatnonzero(queries.runs[1:] == queries.runs[:-1])


def text(articles, length, seed, dim=64):
    """Chains whose neighbours have cosines of about .45, around a topic of their own, as sentences of articles do."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(articles):
        topic, state = rng.standard_normal((2, dim))
        for _ in range(length):
            state = 0.6 * state + 0.8 * rng.standard_normal(dim)
            found.append(0.5 * topic + state + 0.5 * rng.standard_normal(dim))
    return unit(np.array(found))


@pytest.fixture(scope="module")
def training():
    return text(200, 100, seed=1)


def share_found(vectors, lengths, training):
    queries = chunks(vectors, lengths)
    return find_leaks(queries, all_lasts(queries), chunks(training, [100] * 200)).leaked


# the search


def brute_force(queries, lasts, reference, passed_over=None):
    q, u = queries.vectors(np.arange(len(queries))), reference.vectors(np.arange(len(reference)))
    rows = []
    for i, last in enumerate(lasts):
        likeness = np.minimum(u[:-1] @ q[last], u[1:] @ q[last + 1])
        backwards = np.minimum(u[1:] @ q[last], u[:-1] @ q[last + 1])
        bad = reference.runs[1:] != reference.runs[:-1]
        if passed_over is not None:
            bad |= np.isin(reference.articles[:-1], passed_over[i])
        likeness[bad] = backwards[bad] = -2
        of = reference.articles[:-1]
        decoys = [backwards[of == a].max() for a in np.unique(of) if backwards[of == a].max() > likeness[of == a].max()]
        rows.append((likeness.max(), likeness.argmax(), backwards.max(), backwards.argmax(), max(decoys, default=-2)))
    return np.array(rows).T


@pytest.mark.parametrize("size", [3, 1000])
@pytest.mark.parametrize("pass_over", [False, True])
def test_the_search_is_what_all_pairs_say_whatever_the_block(monkeypatch, size, pass_over):
    for name in ("SCAN_ROWS", "_COLUMNS", "_WINDOWS"):
        monkeypatch.setattr(f"lvm_gates.harness.leaks.search.{name}", size)
    queries = chunks(text(3, 5, seed=3, dim=6), [5, 5, 5])
    parts = [chunks(text(1, 7, seed=4, dim=6), [7]), chunks(text(2, 4, seed=5, dim=6), [4, 4])]
    reference, lasts = joined(parts), all_lasts(queries)
    passed_over = np.array([[i % 3, -1] for i in range(len(lasts))]) if pass_over else None
    expected = brute_force(queries, lasts, reference, passed_over)
    found = rivalry(queries, lasts, reference, passed_over)
    np.testing.assert_allclose(found.forwards.likeness, expected[0], atol=1e-6)
    np.testing.assert_array_equal(found.forwards.position, expected[1])
    np.testing.assert_allclose(found.backwards.likeness, expected[2], atol=1e-6)
    np.testing.assert_array_equal(found.backwards.position, expected[3])
    if size == 1000:  # an article is weighed as a whole where no tile cuts it
        np.testing.assert_allclose(found.decoy, expected[4], atol=1e-6)
    nearest = nearest_pairs(queries, lasts, reference, passed_over)
    np.testing.assert_array_equal(nearest.position, found.forwards.position)
    at = likeness_at(queries, lasts, reference, nearest.position)
    np.testing.assert_allclose(at, nearest.likeness, atol=1e-6)


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


# runs


def test_votes_are_neighbours_that_match_in_their_places():
    queries, reference = chunks(text(2, 8, seed=0), [8, 8]), chunks(text(2, 30, seed=1), [30, 30])
    lasts = all_lasts(queries)
    position = np.array([10, 11, 12, 13, 14, 15, 16, 35, 3, 58, 12, 46, 47, 22])
    found = votes(queries, lasts, reference, position)
    # The first article: a run of seven in the first article of the reference. The second: one pair that follows on.
    assert found[:7].tolist() == [4, 5, 6, 6, 6, 5, 4]
    assert found[7:].tolist() == [0, 0, 0, 0, 1, 1, 0]
    assert votes(queries, lasts, reference, position[::-1].copy(), direction=-1)[7:].tolist() == [4, 5, 6, 6, 6, 5, 4]


def test_windows_that_all_match_one_place_are_no_run():
    """A text that repeats itself has the same nearest chunk throughout; a copy cut twice as fine moves on."""
    queries, reference = chunks(text(1, 9, seed=0), [9]), chunks(text(1, 30, seed=1), [30])
    lasts = all_lasts(queries)
    assert votes(queries, lasts, reference, np.full(8, 10)).max() == 2
    assert votes(queries, lasts, reference, np.full(8, 10), direction=-1).max() == 2
    assert votes(queries, lasts, reference, 10 + np.arange(8) // 2)[3:5].tolist() == [7, 7]


def test_a_leaked_window_draws_those_beside_it_along_where_its_place_predicts_their_match():
    reference_text = text(1, 30, seed=1)
    copied = reference_text[10:18]  # a copy whose windows are but for the first two matched elsewhere
    queries, reference = chunks(copied, [8]), chunks(reference_text, [30])
    lasts = all_lasts(queries)
    leaked, position = np.arange(7) < 2, np.array([10, 11, 25, 25, 25, 25, 25])
    pairs = Pairs(np.full(7, 0.5), position)
    assert (
        drawn_along(leaked, pairs, queries, lasts, reference, 0.9).tolist() == [False, False, True, True] + [False] * 3
    )
    assert not drawn_along(leaked, pairs, queries, lasts, reference, 1.1).any(), "no pair is as alike as that"
    other = chunks(np.concatenate([copied[:3], text(1, 5, seed=9)]), [8])
    assert not drawn_along(leaked, pairs, other, lasts, reference, 0.9).any(), "it goes on otherwise"
