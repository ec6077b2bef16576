"""Intervals: whether they cover what they promise on clustered data, and what makes them undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from harness.stats import (
    Estimate,
    absolute,
    bootstrap_weights,
    cluster_mean,
    independent_difference,
    paired_difference,
    percentile_interval,
)

SIMULATIONS = 1_000
CLUSTERS = 30


def clustered_sample(rng, truth=0.3):
    """Thirty articles of 10 to 50 windows, intra-class correlation .2."""
    sizes = rng.integers(10, 51, size=CLUSTERS)
    clusters = np.repeat(np.arange(CLUSTERS), sizes)
    return truth + rng.normal(0, 0.1, CLUSTERS)[clusters] + rng.normal(0, 0.2, len(clusters)), clusters


def test_the_clustered_interval_covers_and_one_that_ignores_clusters_does_not():
    rng = np.random.default_rng(0)
    clustered = naive = 0
    for _ in range(SIMULATIONS):
        values, clusters = clustered_sample(rng)
        found = cluster_mean(values, clusters)
        clustered += found.low <= 0.3 <= found.high
        alone = cluster_mean(values, np.arange(len(values)))
        naive += alone.low <= 0.3 <= alone.high
    assert 0.92 <= clustered / SIMULATIONS <= 0.97
    assert naive / SIMULATIONS < 0.85


def test_a_cluster_bootstrap_covers_too():
    rng = np.random.default_rng(1)
    covered = 0
    for i in range(300):
        values, clusters = clustered_sample(rng)
        weights = bootstrap_weights(CLUSTERS, 400, seed=i)
        totals, counts = np.bincount(clusters, weights=values), np.bincount(clusters)
        found = percentile_interval(values.mean(), weights @ totals / (weights @ counts), len(values))
        covered += found.low <= 0.3 <= found.high
    # A percentile interval over 30 clusters is a little short; 300 simulations have a standard error of .014.
    assert 0.89 <= covered / 300 <= 0.98


def test_with_one_window_a_cluster_it_is_students_interval():
    values = np.random.default_rng(2).normal(size=17)
    found = cluster_mean(values, np.arange(17))
    low, high = scipy_stats.t.interval(0.95, 16, loc=values.mean(), scale=scipy_stats.sem(values))
    assert found == pytest.approx((values.mean(), low, high, 17))


def test_equal_clusters_give_students_interval_of_their_means():
    values = np.random.default_rng(3).normal(size=(9, 4))
    found = cluster_mean(values.ravel(), np.repeat(np.arange(9), 4))
    means = values.mean(axis=1)
    low, high = scipy_stats.t.interval(0.95, 8, loc=means.mean(), scale=scipy_stats.sem(means))
    assert found == pytest.approx((means.mean(), low, high, 36))


def test_repeating_every_window_adds_no_certainty():
    rng = np.random.default_rng(4)
    values, clusters = clustered_sample(rng)
    once, thrice = cluster_mean(values, clusters), cluster_mean(np.tile(values, 3), np.tile(clusters, 3))
    assert thrice[:3] == pytest.approx(once[:3])
    assert thrice.n == 3 * once.n


@given(st.permutations(range(12)), st.integers(-5, 5))
def test_neither_the_order_of_windows_nor_the_names_of_clusters_matter(order, shift):
    values, clusters = np.arange(12) ** 1.5, np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4])
    renamed = (clusters * 977 + shift)[list(order)]
    assert cluster_mean(values[list(order)], renamed) == pytest.approx(cluster_mean(values, clusters))


def test_a_paired_difference_cancels_what_both_share():
    rng = np.random.default_rng(5)
    shared, clusters = clustered_sample(rng)
    first, second = shared + rng.normal(0.02, 0.01, len(shared)), shared
    paired = paired_difference(first, second, clusters)
    assert paired.value == pytest.approx(np.mean(first) - np.mean(second))
    assert paired.low > 0.018
    apart = independent_difference(cluster_mean(first, clusters), cluster_mean(second, clusters))
    assert apart.low < 0 < apart.high
    assert paired_difference(second, first, clusters).value == pytest.approx(-paired.value)
    assert paired_difference(shared, shared, clusters)[:3] == (0, 0, 0)


def test_half_widths_of_independent_estimates_add_in_quadrature():
    found = independent_difference(Estimate(0.5, 0.2, 0.8, 40), Estimate(0.1, -0.3, 0.5, 35))
    assert found == pytest.approx((0.4, -0.1, 0.9, 35))


@pytest.mark.parametrize(
    ("signed", "size"),
    [
        ((0.3, 0.1, 0.5), (0.3, 0.1, 0.5)),
        ((-0.3, -0.5, -0.1), (0.3, 0.1, 0.5)),
        ((0.1, -0.2, 0.4), (0.1, 0.0, 0.4)),
        ((-0.1, -0.4, 0.2), (0.1, 0.0, 0.4)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ],
)
def test_the_interval_of_a_size_starts_at_zero_where_the_signed_one_straddles_it(signed, size):
    assert absolute(Estimate(*signed, 9)) == pytest.approx((*size, 9))


def test_a_size_without_an_interval_keeps_none():
    found = absolute(Estimate(-0.2, np.nan, np.nan, 3))
    assert found.value == 0.2
    assert np.isnan(found.low)
    assert np.isnan(absolute(Estimate(np.nan, np.nan, np.nan, 0)).value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_undefined_window_leaves_no_interval_and_no_finite_mean(bad):
    values = np.linspace(0, 1, 50)
    values[17] = bad
    found = cluster_mean(values, np.arange(50) // 5)
    assert not np.isfinite(found.value)
    assert np.isnan([found.low, found.high]).all()
    assert found.n == 50


def test_one_cluster_has_a_mean_and_no_interval():
    found = cluster_mean(np.array([0.0, 1.0, 2.0]), np.array([4, 4, 4]))
    assert found.value == 1.0
    assert np.isnan([found.low, found.high]).all()


def test_no_window_is_undefined_with_n_zero():
    found = cluster_mean(np.empty(0), np.empty(0, dtype=int))
    assert np.isnan(found[:3]).all()
    assert found.n == 0


def test_undefined_estimates_stay_undefined_in_differences():
    undefined = Estimate(np.nan, np.nan, np.nan, 0)
    found = independent_difference(Estimate(0.5, 0.4, 0.6, 50), undefined)
    assert np.isnan(found[:3]).all()
    assert found.n == 0


def test_bootstrap_weights_draw_as_many_clusters_as_there_are_and_follow_the_seed():
    weights = bootstrap_weights(7, 500, seed=1)
    assert weights.shape == (500, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == np.round(weights)).all()
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.2
    np.testing.assert_array_equal(weights, bootstrap_weights(7, 500, seed=1))
    assert (weights != bootstrap_weights(7, 500, seed=2)).any()


def test_a_percentile_interval_is_the_middle_95_percent_and_nan_spoils_it():
    draws = np.random.default_rng(0).permutation(np.arange(1001.0))
    assert percentile_interval(3.0, draws, 12) == pytest.approx((3.0, 25.0, 975.0, 12))
    draws[5] = np.nan
    assert np.isnan(percentile_interval(3.0, draws, 12).low)
    assert np.isnan(percentile_interval(3.0, np.empty(0), 12).high)
