"""The frontier against a grid over mixtures, and what a model gains over rivals whose standing is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.statistics.frontier import Frontier, frontier_mrr


def by_mixtures(cosine, mrr, at):
    """The best MRR of any coin toss between two controls whose mean cosine is at least ``at``."""
    best = -np.inf
    at = min(at, max(cosine))
    for i in range(len(cosine)):
        for j in range(len(cosine)):
            # A grid, and the very share at which the mixture reaches ``at``.
            shares = set(np.linspace(0, 1, 201))
            if cosine[i] != cosine[j]:
                shares.add(float(np.clip((at - cosine[i]) / (cosine[j] - cosine[i]), 0, 1)))
            for share in shares:
                if (1 - share) * cosine[i] + share * cosine[j] >= at - 1e-12:
                    best = max(best, (1 - share) * mrr[i] + share * mrr[j])
    return best


points = st.lists(st.tuples(st.integers(-2, 10), st.integers(0, 10)), min_size=1, max_size=6)


@given(points=points, at=st.integers(-30, 120))
def test_the_frontier_is_the_best_mixture_of_two_controls(points, at):
    cosine, mrr = np.array(points, dtype=float).T / 10
    found = frontier_mrr(cosine[None], mrr[None], np.array([at / 100]))[0]
    assert found == pytest.approx(by_mixtures(cosine, mrr, at / 100), abs=1e-9)


def test_the_frontier_bulges_where_a_chord_beats_both_steps_and_is_flat_beyond_the_ends():
    cosine, mrr = np.array([[0.2, 0.4, 0.6]]), np.array([[0.5, 0.1, 0.3]])
    ask = [0.0, 0.2, 0.4, 0.5, 0.6, 0.9]
    found = [frontier_mrr(cosine, mrr, np.array([q]))[0] for q in ask]
    assert found == pytest.approx([0.5, 0.5, 0.4, 0.35, 0.3, 0.3])


@given(points=points, seed=st.integers(0, 99))
def test_each_row_has_a_frontier_of_its_own(points, seed):
    rng = np.random.default_rng(seed)
    cosine, mrr = rng.random((3, 5)), rng.random((3, 5))
    at = rng.random(3)
    together = frontier_mrr(cosine, mrr, at)
    for i in range(3):
        assert together[i] == frontier_mrr(cosine[i : i + 1], mrr[i : i + 1], at[i : i + 1])[0]


def test_rivals_that_are_all_but_equal_end_the_search():
    """Chords a rounding error long have slopes of a million, under which rounding looks like height."""
    rng = np.random.default_rng(0)
    cosine, mrr = 0.5 + rng.integers(0, 5, (200, 60)) * 1e-12, 0.2 + rng.integers(0, 5, (200, 60)) * 1e-12
    at = 0.5 + rng.random(200) * 5e-12
    assert np.abs(frontier_mrr(cosine, mrr, at) - 0.2).max() < 1e-11


CLUSTERS = np.repeat(np.arange(12), 5)


def scored(rivals=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((2, len(CLUSTERS), rivals))


def arc(rivals, seed):
    """Rivals all but on a quarter of a circle, most of them vertices."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.random(rivals) * np.pi / 2, 1 - 0.02 * rng.random(rivals)
    return np.tile(radius * np.stack([np.cos(angle), np.sin(angle)])[:, None], (1, len(CLUSTERS), 1))


def test_vertices_are_the_rivals_whose_loss_changes_the_frontier():
    for seed in range(20):
        cosine, mrr = scored(7, seed) if seed % 2 else arc(7, seed)
        frontier = Frontier.of(cosine, mrr, CLUSTERS)
        means = np.array(frontier.means)
        at = np.append(np.linspace(means[0].min() - 0.1, means[0].max(), 401), means[0])

        def reach(kept, means=means, at=at):
            shape = (len(at), len(kept))
            return frontier_mrr(np.broadcast_to(means[0, kept], shape), np.broadcast_to(means[1, kept], shape), at)

        whole = reach(np.arange(7))
        needed = [i for i in range(7) if (abs(reach(np.delete(np.arange(7), i)) - whole) > 1e-9).any()]
        found = frontier.vertices()
        assert sorted(found.tolist()) == needed
        assert (np.diff(means[0, found]) > 0).all(), "from the best rank to the best cosine"


def test_of_rivals_that_rank_alike_the_one_of_better_cosine_makes_the_frontier():
    """And of those of one cosine the one that ranks better; the worst of both makes nothing."""
    cosine, mrr = (np.tile(row, (len(CLUSTERS), 1)) for row in ([0.4, 0.5, 0.5, 0.3], [0.25, 0.25, 0.125, 0.125]))
    assert Frontier.of(cosine, mrr, CLUSTERS).vertices().tolist() == [1]


def test_a_rival_on_the_chord_between_two_others_makes_nothing():
    cosine, mrr = (np.tile(row, (len(CLUSTERS), 1)) for row in ([0.25, 0.5, 0.75], [0.75, 0.5, 0.25]))
    assert Frontier.of(cosine, mrr, CLUSTERS).vertices().tolist() == [0, 2]


def test_means_are_over_windows_and_not_over_articles():
    (cosine, mrr), clusters = scored(), np.minimum(CLUSTERS, 3)
    found = Frontier.of(cosine, mrr, clusters).means
    np.testing.assert_allclose(found, [cosine.mean(axis=0), mrr.mean(axis=0)])


def test_gains_are_those_of_the_means_with_the_frontier_recomputed_without_each_article():
    cosine, mrr = scored()
    found, excess = Frontier.of(cosine[:, 1:], mrr[:, 1:], CLUSTERS).gains(cosine[:, 0], mrr[:, 0])

    def gain(kept):
        c, m = cosine[kept].mean(axis=0), mrr[kept].mean(axis=0)
        return m[0] - frontier_mrr(c[None, 1:], m[None, 1:], c[:1])[0], c[0] - c[1:].max()

    whole = gain(CLUSTERS >= 0)
    without = np.array([gain(a != CLUSTERS) for a in range(12)])
    assert (found.value, excess.value) == pytest.approx(whole)
    error = np.sqrt(11 / 12 * ((without - whole) ** 2).sum(axis=0))
    assert [e.high - e.value for e in (found, excess)] == pytest.approx(2.201 * error, rel=1e-3)


def test_a_rival_gains_nothing_by_rounding():
    cosine, mrr = scored()
    for rival in range(4):
        own = cosine[:, rival] * (1 + 1e-15), mrr[:, rival] * (1 + 1e-15)
        found, excess = Frontier.of(cosine, mrr, CLUSTERS).gains(*own)
        assert found.value <= 0.0
        assert excess.value <= 0.0
        assert found.low <= 0.0


@pytest.mark.parametrize(("more", "gained"), [(1e-10, 0.0), (1e-7, 1e-7)])
def test_what_is_more_than_rounding_is_a_gain(more, gained):
    """Of a model that ranks as the best rival does, and its cosine too, but for ``more``."""
    cosine, mrr = np.full((2, len(CLUSTERS), 1), 0.25)
    for own in ((cosine[:, 0], mrr[:, 0] + more), (cosine[:, 0] + more, mrr[:, 0])):
        found, excess = Frontier.of(cosine, mrr, CLUSTERS).gains(*own)
        assert max(found.value, excess.value) == pytest.approx(gained, rel=1e-3)
        assert min(found.value, excess.value) == 0.0


@pytest.mark.parametrize("which", [0, 1])
def test_a_model_with_an_undefined_window_has_no_gain(which):
    cosine, mrr = scored()
    own = [cosine[:, 0].copy(), mrr[:, 0].copy()]
    own[which][3] = np.nan
    assert all(np.isnan(metric.value) for metric in Frontier.of(cosine, mrr, CLUSTERS).gains(*own))


def test_a_single_window_has_gains():
    cosine, mrr = scored()
    found, excess = Frontier.of(cosine[:1, 1:], mrr[:1, 1:], CLUSTERS[:1]).gains(cosine[:1, 0], mrr[:1, 0])
    assert found.value == pytest.approx(mrr[0, 0] - frontier_mrr(cosine[:1, 1:], mrr[:1, 1:], cosine[:1, 0])[0])
    assert excess.value == pytest.approx(cosine[0, 0] - cosine[0, 1:].max())
    assert (found.n, excess.n) == (1, 1)
