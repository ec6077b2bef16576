"""Where a model is weak, on observations made by hand."""

import math

import numpy as np
import pytest

from lvm_gates.harness.statistics.breakdown import WORST_WINDOWS, Places, breakdown

N = 60  # twelve articles, five windows each: window i is of article i % 12


@pytest.fixture
def places():
    article = np.arange(N) % 12
    return Places(article + 100, np.arange(N) // 12 + 5, np.arange(N) / (N - 1), 10 + article)


def by(found, kind):
    return [one for one in found.slices if one.by == kind]


def test_slices_hold_every_window_once_with_the_paired_difference_to_ridge(make_observations, places):
    cosine = np.linspace(0.2, 0.8, N)
    model = make_observations(N, cosine=cosine, coherence=np.linspace(0.0, 1.0, N), rank=np.full((N, 3), 4.0))
    found = breakdown(model, make_observations(N, cosine=cosine - 0.1), places, np.ones(N, dtype=bool))
    assert [len(by(found, kind)) for kind in ("coherence", "position", "length")] == [4, 4, 3]
    for kind in ("coherence", "position", "length"):
        assert sum(one.cosine.n for one in by(found, kind)) == N
    for one in found.slices:
        assert one.over_ridge.value == pytest.approx(0.1)
        assert one.mrr.value == 0.25
    first, *_, last = by(found, "position")
    assert (first.start, last.end) == (0.0, 1.0)
    assert first.cosine.value == pytest.approx(cosine[:15].mean())
    assert last.cosine.value == pytest.approx(cosine[45:].mean())


def test_windows_that_do_not_count_are_in_nothing(make_observations, places):
    cosine = np.full(N, 0.5)
    cosine[:12] = -0.9
    kept = cosine > 0
    found = breakdown(make_observations(N, cosine=cosine), make_observations(N), places, kept)
    assert {one.cosine for one in found.windows} == {0.5}
    assert sum(one.cosine.n for one in by(found, "position")) == kept.sum()
    assert found.articles == [], "four windows of an article are left, too few to call it the worst"


def test_the_worst_windows_come_first_those_without_a_direction_before_all(make_observations, places):
    cosine = np.linspace(0.9, 0.1, N)
    cosine[7] = np.nan
    offset = np.tile([0.1, 0.9, 0.3, 0.4, 0.5, 0.4, 0.3], (N, 1))
    exists = np.ones(N, dtype=bool)
    exists[58] = False
    model = make_observations(
        N, cosine=cosine, offset=offset, offset_exists=exists, rank=np.full((N, 3), 9.0), rows=np.arange(N) + 1000
    )
    ridge = make_observations(N, cosine=np.linspace(0.0, 0.59, N))
    found = breakdown(model, ridge, places, np.ones(N, dtype=bool)).windows
    assert len(found) == WORST_WINDOWS
    assert math.isnan(found[0].cosine)
    assert [one.row for one in found[:3]] == [1007, 1059, 1058]
    second, third = found[1:3]
    assert (second.article, second.chunk, second.rank, second.candidates) == (100 + 59 % 12, 5 + 59 // 12, 9.0, 50)
    assert second.ridge == pytest.approx(0.59)
    assert (second.nearest, third.nearest) == (-2, None)


def test_the_worst_articles_by_mean(make_observations, places):
    cosine = np.where(np.arange(N) % 12 == 3, 0.1, np.where(np.arange(N) % 12 == 8, 0.2, 0.7))
    found = breakdown(
        make_observations(N, cosine=cosine),
        make_observations(N, cosine=np.full(N, 0.4)),
        places,
        np.ones(N, dtype=bool),
    ).articles
    assert [one.article for one in found[:2]] == [103, 108]
    assert (found[0].cosine, found[0].ridge) == (pytest.approx(0.1), pytest.approx(0.4))
    assert (found[0].windows, found[0].chunks, len(found)) == (5, 13, 5)


def test_what_does_not_vary_has_no_slices(make_observations, places):
    alike = Places(places.article, places.chunk, places.position, np.full(N, 20))
    observed = make_observations(N, coherence=np.full(N, np.nan))
    found = breakdown(observed, observed, alike, np.ones(N, dtype=bool))
    assert {one.by for one in found.slices} == {"position"}


def test_no_window_at_all(make_observations, places):
    found = breakdown(make_observations(N), make_observations(N), places, np.zeros(N, dtype=bool))
    assert (found.slices, found.windows, found.articles) == ([], [], [])
