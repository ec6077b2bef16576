"""Intervals: whether they cover what they promise on clustered data, and what makes them undefined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple
from scipy import stats as scipy_stats

from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES, cluster_error
from lvm_gates.harness.base.estimate import (
    Estimate,
    absolute,
    cluster_mean,
    cluster_share,
    independent_difference,
    independent_ratio,
    jackknife_interval,
    paired_difference,
    ratio_of_means,
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


def test_with_one_window_a_cluster_it_is_students_interval():
    values = np.random.default_rng(2).normal(size=17)
    found = cluster_mean(values, np.arange(17))
    low, high = scipy_stats.t.interval(0.95, 16, loc=values.mean(), scale=scipy_stats.sem(values))
    assert astuple(found) == pytest.approx((values.mean(), low, high, 17, 17, 16))


def test_equal_clusters_give_students_interval_of_their_means():
    values = np.random.default_rng(3).normal(size=(11, 4))
    found = cluster_mean(values.ravel(), np.repeat(np.arange(11), 4))
    means = values.mean(axis=1)
    low, high = scipy_stats.t.interval(0.95, 10, loc=means.mean(), scale=scipy_stats.sem(means))
    assert astuple(found) == pytest.approx((means.mean(), low, high, 44, 11, 10))


def test_repeating_every_window_adds_no_certainty():
    rng = np.random.default_rng(4)
    values, clusters = clustered_sample(rng)
    once, thrice = cluster_mean(values, clusters), cluster_mean(np.tile(values, 3), np.tile(clusters, 3))
    assert astuple(thrice)[:3] == pytest.approx(astuple(once)[:3])
    assert thrice.n == 3 * once.n


@given(st.permutations(range(24)), st.integers(-5, 5))
def test_neither_the_order_of_windows_nor_the_names_of_clusters_matter(order, shift):
    values, clusters = np.arange(24) ** 1.5, np.repeat(np.arange(11), [2, 3, 2, 4, 1, 1, 1, 4, 2, 3, 1])
    renamed = (clusters * 977 + shift)[list(order)]
    found, expected = cluster_mean(values[list(order)], renamed), cluster_mean(values, clusters)
    assert astuple(found) == pytest.approx(astuple(expected))


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
    assert astuple(paired_difference(shared, shared, clusters))[:3] == (0, 0, 0)


def test_a_difference_of_independent_means_is_welchs():
    """Also where one side has few articles: half widths in quadrature would be .16 too wide here."""
    rng = np.random.default_rng(6)
    one, other = rng.normal(0.5, 1.0, 11), rng.normal(0.1, 0.3, 60)
    found = independent_difference(cluster_mean(one, np.arange(11)), cluster_mean(other, np.arange(60)))
    expected = scipy_stats.ttest_ind(one, other, equal_var=False)
    low, high = expected.confidence_interval()
    assert astuple(found) == pytest.approx((one.mean() - other.mean(), low, high, 11, 11, expected.df))


def test_differences_without_any_variance_are_certain():
    one, other = (cluster_mean(np.full(n, value), np.arange(n)) for n, value in ((12, 0.5), (20, 0.25)))
    found = independent_difference(one, other)
    assert astuple(found)[:5] == (0.25, 0.25, 0.25, 12, 12)
    assert found.df == pytest.approx(11)
    assert astuple(independent_ratio(other, one))[:3] == (0.5, 0.5, 0.5)


def test_a_ratio_holds_those_values_whose_difference_holds_zero():
    rng = np.random.default_rng(7)
    above, below = (cluster_mean(rng.normal(m, 0.5, 30), np.arange(30)) for m in (0.6, 1.0))
    found = independent_ratio(above, below)
    assert found.value == pytest.approx(above.value / below.value)
    assert (found.n, found.articles) == (30, 30)
    # Fieller's set, with the degrees of freedom that Welch gives at the estimate.
    error, df = found.value * below.error, below.df
    pooled = (above.error**2 + error**2) ** 2 / (above.error**4 / above.df + error**4 / df)
    reach = scipy_stats.t.ppf(0.975, pooled)
    for end in (found.low, found.high):
        apart = abs(above.value - end * below.value)
        assert apart == pytest.approx(reach * np.hypot(above.error, end * below.error))


@pytest.mark.parametrize("below", [0.0, 0.05, -0.05])
def test_a_ratio_to_what_may_be_zero_has_no_interval(below):
    noise = np.linspace(-1, 1, 20)
    found = independent_ratio(cluster_mean(noise + 1, np.arange(20)), cluster_mean(noise + below, np.arange(20)))
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(found.value) or abs(found.value) > 10


def test_a_ratio_of_means_is_that_of_totals_with_the_interval_of_its_residual():
    rng = np.random.default_rng(8)
    values, clusters = clustered_sample(rng)
    below = 1 + rng.uniform(size=len(values))
    found = ratio_of_means(values, below, clusters)
    assert found.value == pytest.approx(values.sum() / below.sum())
    around = cluster_mean((values - found.value * below) / below.mean(), clusters)
    assert (found.low, found.high) == pytest.approx((found.value + around.low, found.value + around.high))
    assert np.isnan(ratio_of_means(values, np.zeros(len(values)), clusters).value)
    assert ratio_of_means(values[:0], values[:0], clusters[:0]).n == 0


def test_the_jackknife_of_a_mean_is_the_interval_of_the_mean():
    values, clusters = clustered_sample(np.random.default_rng(9))
    totals, sizes = np.bincount(clusters, weights=values), np.bincount(clusters).astype(float)
    without = (totals.sum() - totals) / (sizes.sum() - sizes)
    expected = cluster_mean(values, clusters)
    found = jackknife_interval(float(values.mean()), without, sizes)
    assert astuple(found) == pytest.approx(astuple(expected))


@pytest.mark.parametrize("every", [0.0, 1.0])
def test_a_share_of_exactly_none_or_all_leaves_room_for_an_article(every):
    """Thirty equal articles without an exception: up to .12, near the .116 of Clopper and Pearson for thirty trials."""
    found = cluster_share(np.full(600, every), np.arange(600) % 30)
    assert found.value == every
    assert max(found.high - every, every - found.low) == pytest.approx(0.122, abs=5e-4)
    assert 0 <= found.low <= every <= found.high <= 1


def test_a_share_approaches_none_without_a_jump():
    """The first exceptions narrow the interval, as they tell that exceptions come alone."""
    hits, widths = np.zeros(3_000), []
    for exceptions in range(6):
        hits[:exceptions] = 1.0  # in different articles
        found = cluster_share(hits, np.arange(3_000) % 30)
        widths.append(found.high - found.low)
        assert found.low <= found.value <= found.high
    assert widths == sorted(widths, reverse=True)
    assert widths[1] > 0.4 * widths[0]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9])
def test_a_share_has_wilsons_interval_of_as_many_trials_as_its_articles_are_worth(share):
    """The variance seen, weighed by the exceptions it rests on, and once that of one window more in every article."""
    rng = np.random.default_rng(12)
    sizes = rng.integers(3, 40, 30)
    clusters = np.repeat(np.arange(30), sizes)
    hits = (rng.random(len(clusters)) < np.clip(share + rng.normal(0, 0.1, 30), 0, 1)[clusters]).astype(float)
    found, mean = cluster_share(hits, clusters), cluster_mean(hits, clusters)
    p, n = hits.mean(), len(hits)
    single = p * (1 - p)
    alike = ((sizes / n) ** 2).sum()
    worth = np.average([mean.error**2 / single, alike], weights=[n * min(p, 1 - p), 1])
    z2 = scipy_stats.t.ppf(0.975, mean.df) ** 2 * worth
    half = np.sqrt(z2 * single + z2**2 / 4)
    assert (found.low, found.high) == pytest.approx(((p + z2 / 2 - half) / (1 + z2), (p + z2 / 2 + half) / (1 + z2)))
    assert astuple(found)[3:5] == (n, 30)


def test_far_from_the_ends_a_share_has_nearly_the_interval_of_a_mean():
    rng = np.random.default_rng(10)
    clusters = np.arange(6_000) % 60
    hits = (rng.random(6_000) < 0.4).astype(float)
    share, mean = cluster_share(hits, clusters), cluster_mean(hits, clusters)
    assert astuple(share)[:3] == pytest.approx(astuple(mean)[:3], abs=2e-3)


def test_the_error_and_its_degrees_of_freedom_are_those_of_the_quadratic_form():
    """Against the matrices: influence' A influence with influences of covariance M diag(v) M'."""
    rng = np.random.default_rng(11)
    sizes = np.rint(40 * rng.lognormal(size=14)) + 1
    weight = sizes / sizes.sum()
    v = 0.3 * sizes**2 / (sizes**2).sum() + 0.7 * weight  # the share between articles that docs/intervals.md measures
    centre = np.eye(14) - np.outer(weight, np.ones(14))
    form = np.diag(1 / (1 - weight)) @ centre @ np.diag(v) @ centre.T
    influence = centre @ rng.normal(size=14)
    error, df = cluster_error(influence, sizes)
    assert error == pytest.approx(np.sqrt(influence @ np.diag(1 / (1 - weight)) @ influence))
    assert df == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form))
    both = cluster_error(np.stack([influence, 2 * influence]), np.stack([sizes, sizes]))
    np.testing.assert_allclose(both, [[error, 2 * error], [df, df]])


def test_long_articles_leave_fewer_degrees_of_freedom():
    equal, one_long = (cluster_error(np.ones(20), np.array([size, *[10.0] * 19]))[1] for size in (10.0, 100.0))
    assert equal == pytest.approx(19)
    assert one_long < 10


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
    found = absolute(Estimate(*signed, 90, 9, 8.0))
    assert astuple(found)[:5] == pytest.approx((*size, 90, 9))
    assert np.isnan(found.error)  # no t-interval any more


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
    assert (found.n, found.articles) == (50, 10)
    assert np.isnan(cluster_share(values, np.arange(50) // 5).low)


@pytest.mark.parametrize("articles", [1, 2, 9])
@pytest.mark.parametrize("metric", [cluster_mean, cluster_share])
def test_fewer_than_ten_clusters_have_a_mean_and_no_interval(metric, articles):
    found = metric(np.arange(90) % 2.0, np.arange(90) % articles)
    assert found.value == 0.5
    assert np.isnan([found.low, found.high, found.error]).all()
    assert (found.n, found.articles) == (90, articles)
    assert np.isfinite(metric(np.arange(90) % 2.0, np.arange(90) % MINIMUM_ARTICLES).low)


def test_a_single_window_has_a_mean_and_a_ratio():
    one = np.array([0])
    assert astuple(cluster_mean(np.array([0.25]), one))[::3] == (0.25, 1)
    assert astuple(ratio_of_means(np.array([0.25]), np.array([0.5]), one))[::3] == (0.5, 1)
    assert ratio_of_means(np.full(12, 0.25), np.ones(12), np.arange(12)).value == 0.25


def test_an_estimate_has_the_articles_that_it_says():
    assert Estimate(0.5, 0.4, 0.6, 90).articles == 0


def test_a_jackknife_that_is_undefined_without_one_article_has_no_interval():
    """A ratio, say, whose other side is zero there."""
    without = np.linspace(0.4, 0.6, 12)
    whole = jackknife_interval(0.5, without, np.ones(12))
    assert whole.low < 0.5 < whole.high
    without[3] = np.nan
    for value in (0.5, np.nan):
        found = jackknife_interval(value, without, np.ones(12))
        assert np.isnan([found.low, found.high, found.df]).all()
    assert np.isnan(jackknife_interval(np.inf, np.full(12, 0.5), np.ones(12)).df)


def test_no_window_is_undefined_with_n_zero():
    found = cluster_mean(np.empty(0), np.empty(0, dtype=int))
    assert np.isnan(astuple(found)[:3]).all()
    assert found.n == 0


def test_undefined_estimates_stay_undefined_in_differences():
    undefined = Estimate(np.nan, np.nan, np.nan, 0)
    for combine in (independent_difference, independent_ratio):
        for pair in (
            (Estimate(0.5, 0.4, 0.6, 50, 20, 19.0), undefined),
            (undefined, Estimate(0.5, 0.4, 0.6, 50, 20, 19.0)),
        ):
            found = combine(*pair)
            assert np.isnan(astuple(found)[:3]).all()
            assert (found.n, found.articles) == (0, 0)
