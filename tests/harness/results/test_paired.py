"""Two models on the same windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple
from scipy import stats as scipy_stats

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, paired_difference
from lvm_gates.harness.results.paired import (
    POWER,
    Difference,
    Sampled,
    common_windows,
    compare,
    holm,
)

NAMES = ["cosine", "c(+1) - c(0)", "MRR article", "R@1 article", "MRR novel", "R@1 novel"]
NAMES += ["MRR global", "R@1 global", "shuffle", "reverse", "rollout"]


def sampled(n=60, *, seed=0, articles=12, context=5, horizon=4, **given):
    """Windows of a model of no particular merit; columns by name."""
    rng = np.random.default_rng(seed)
    columns = {
        "article": np.arange(n) % articles,
        "chunk": np.arange(n) // articles,
        "cosine": rng.uniform(0, 1, n),
        "offset": rng.uniform(0, 1, (n, 7)),
        "offset_exists": np.ones(n, dtype=bool),
        "rank": rng.integers(1, 20, (n, 3)).astype(float),
        "pool_size": np.full((n, 3), 50),
        "ablation": rng.uniform(-1, 0, (n, context + 4)),
        "rollout": rng.uniform(0, 1, (n, horizon)),
        "rollout_exists": np.ones(n, dtype=bool),
        "leaked": np.zeros(n, dtype=bool),
    }
    assert given.keys() <= columns.keys()
    return Sampled(**{**columns, **given})


def by_metric(found):
    return {one.metric: one for one in found.differences}


def test_windows_are_matched_by_article_and_chunk():
    first = sampled(4, article=np.array([7, 7, 9, 9]), chunk=np.array([1, 2, 1, 5]))
    second = sampled(3, article=np.array([9, 9, 7]), chunk=np.array([5, 2, 1]))
    here, there = common_windows(first, second)
    assert [(first.article[i], first.chunk[i]) for i in here] == [(7, 1), (9, 5)]
    assert [(second.article[i], second.chunk[i]) for i in there] == [(7, 1), (9, 5)]


def test_nothing_in_common():
    found = compare(sampled(), sampled(article=np.arange(60) % 12 + 100))
    assert found.windows == 0
    assert found.of == (60, 60)


def test_every_metric_is_second_minus_first():
    a, b = sampled(seed=1), sampled(seed=2)
    found = by_metric(compare(a, b))
    assert list(found) == NAMES
    columns = {
        "cosine": lambda s: s.cosine,
        "c(+1) - c(0)": lambda s: s.offset[:, 4] - s.offset[:, 3],  # offsets -3, -2, -1, 0, +1, +2, +3
        "MRR article": lambda s: 1 / s.rank[:, 0],
        "R@1 novel": lambda s: (s.rank[:, 1] == 1).astype(float),
        "MRR global": lambda s: 1 / s.rank[:, 2],
        "shuffle": lambda s: s.ablation[:, 0],
        "reverse": lambda s: s.ablation[:, 1],
        "rollout": lambda s: s.rollout.mean(axis=1),
    }
    for name, column in columns.items():
        expected = astuple(paired_difference(column(b), column(a), a.article))
        assert astuple(found[name].estimate) == pytest.approx(expected), name
        assert found[name].first == pytest.approx(column(a).mean())
        assert found[name].second == pytest.approx(column(b).mean())


@given(st.permutations(range(36)))
def test_the_order_of_windows_does_not_matter(order):
    a, b = sampled(36, seed=1), sampled(36, seed=2)
    one, other = by_metric(compare(a, b)), by_metric(compare(a, b.take(np.array(order))))
    for name in NAMES:
        assert astuple(one[name].estimate) == pytest.approx(astuple(other[name].estimate))


def test_only_common_windows_count():
    a, b = sampled(60, seed=1), sampled(60, seed=2)
    kept = np.arange(7, 27)
    found = compare(a, b.take(kept))
    assert (found.windows, found.of) == (20, (60, 20))
    expected = paired_difference(b.cosine[kept], a.cosine[kept], a.article[kept])
    assert astuple(by_metric(found)["cosine"].estimate) == pytest.approx(astuple(expected))


def test_a_model_does_not_differ_from_itself():
    for one in compare(sampled(), sampled()).differences:
        assert astuple(one.estimate) == (0.0, 0.0, 0.0, 60, 12, pytest.approx(11))
        assert one.p == 1.0
        assert np.isnan(one.detectable)  # nothing varies, so nothing says what could be seen


def test_pairing_sees_what_two_means_do_not():
    """The reason to compare window by window: windows differ far more than models do."""
    a = sampled(cosine=np.random.default_rng(0).uniform(0, 1, 60))
    noise = np.random.default_rng(1).normal(0, 0.002, 60)
    b = sampled(cosine=a.cosine + 0.01 + noise)
    cosine = by_metric(compare(a, b))["cosine"]
    assert cosine.estimate.low > 0
    assert cosine.detectable < 0.01
    assert cosine.p < 1e-4


def test_windows_that_are_leaked_for_either_count_for_neither():
    n = np.arange(60)
    a, b = sampled(seed=1, leaked=n < 5), sampled(seed=2, leaked=(n >= 3) & (n < 10))
    found = compare(a, b)
    assert (found.windows, found.of, found.leaked) == (50, (60, 60), 10)
    expected = paired_difference(b.cosine[10:], a.cosine[10:], a.article[10:])
    assert astuple(by_metric(found)["cosine"].estimate) == pytest.approx(astuple(expected))


def test_p_is_that_of_a_t_test_where_every_window_is_an_article():
    a, b = (sampled(20, seed=seed, articles=20) for seed in (1, 2))
    found = by_metric(compare(a, b))["cosine"]
    assert found.p == pytest.approx(scipy_stats.ttest_rel(b.cosine, a.cosine).pvalue)
    assert found.error == pytest.approx(scipy_stats.sem(b.cosine - a.cosine))


def test_p_and_interval_agree():
    for seed in range(20):
        for one in compare(sampled(seed=seed), sampled(seed=seed + 100)).differences:
            excludes_zero = one.estimate.low > 0 or one.estimate.high < 0
            assert excludes_zero == (one.p < 0.05)


@pytest.mark.parametrize("df", [2.5, 5, 9, 19, 59])
def test_a_difference_of_the_detectable_size_is_found_four_times_in_five(df):
    """Printed are the errors of samples, which are too small on average; the truth they speak of is one."""
    t = scipy_stats.t(df).ppf(0.975)
    one = Difference("cosine", 0.0, 0.0, Estimate(0.0, -0.1 * t, 0.1 * t, 60, 12, float(df)))
    mean_error = scipy_stats.chi(df).mean() / np.sqrt(df)
    assert scipy_stats.nct(df, one.detectable / 0.1 * mean_error).sf(t) == pytest.approx(POWER, abs=1e-6)
    assert POWER == 0.8


def test_nothing_is_detectable_below_ten_articles():
    one = by_metric(compare(sampled(articles=9, seed=1), sampled(articles=9, seed=2)))["cosine"]
    assert np.isfinite(one.estimate.value)
    assert np.isnan([one.estimate.low, one.error, one.p, one.detectable]).all()


def test_one_article_has_no_interval():
    one = by_metric(compare(sampled(articles=1, seed=1), sampled(articles=1, seed=2)))["cosine"]
    assert np.isfinite(one.estimate.value)
    assert np.isnan([one.estimate.low, one.error, one.p, one.detectable]).all()


def test_a_constant_difference_is_certain():
    assert Difference("cosine", 0.0, 0.5, Estimate(0.5, 0.5, 0.5, 30, 12, 11.0)).p == 0.0
    assert np.isnan(Difference("cosine", 0.0, 0.5, UNDEFINED).p)


def test_a_non_finite_prediction_makes_the_difference_undefined():
    spoiled = sampled().cosine
    spoiled[3] = np.nan
    cosine = by_metric(compare(sampled(seed=1), sampled(cosine=spoiled)))["cosine"]
    assert np.isnan(cosine.estimate.value)
    assert np.isnan(cosine.p)
    assert cosine.estimate.n == 60


def test_candidate_sets_that_differ_are_left_out():
    other = np.full((60, 3), 50)
    other[7, 2] = 49
    found = compare(sampled(), sampled(pool_size=other))
    assert [f for f in NAMES if f not in by_metric(found)] == ["MRR global", "R@1 global"]
    assert found.left_out == ["candidate set global: the candidates differ between the reports"]


def test_candidate_sets_that_were_never_ranked_are_left_out():
    ranks = sampled().rank
    ranks[:, 1:] = np.nan
    found = compare(sampled(rank=ranks), sampled(rank=ranks))
    assert [f for f in NAMES if f not in by_metric(found)] == ["MRR novel", "R@1 novel", "MRR global", "R@1 global"]
    assert len(found.left_out) == 2


def test_rollouts_of_unequal_length_are_compared_as_far_as_both_go():
    long, short = sampled(horizon=5, seed=1), sampled(horizon=2, seed=2)
    found = compare(long, short)
    assert by_metric(found)["rollout"].first == pytest.approx(long.rollout[:, :2].mean())
    assert found.left_out == ["rollout beyond h=2: the other report has no more steps"]


def test_windows_without_the_chunks_a_metric_needs_are_not_counted():
    before, after = np.arange(60) < 40, np.arange(60) >= 10
    rollout = np.where(after[:, None], sampled().rollout, np.nan)
    a = sampled(offset_exists=before, rollout_exists=np.arange(60) < 55)
    b = sampled(seed=1, offset_exists=np.arange(60) >= 3, rollout_exists=after, rollout=rollout)
    found = by_metric(compare(a, b))
    assert found["c(+1) - c(0)"].estimate.n == 37
    assert found["rollout"].estimate.n == 45
    assert np.isfinite(found["rollout"].estimate.value)


def test_ablations_are_found_whatever_the_context():
    for context in (1, 3, 8):
        a, b = (sampled(context=context, seed=seed) for seed in (1, 2))
        assert by_metric(compare(a, b))["reverse"].first == pytest.approx(a.ablation[:, 1].mean())


def test_holm_by_hand():
    # Sorted: .005 x 4, .01 x 3, .03 x 2, .04 x 1, each at least as large as the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_holm_does_not_count_what_could_not_be_tested():
    nan = float("nan")
    assert holm([nan, 0.02, nan, 0.04]) == pytest.approx([nan, 0.04, nan, 0.04], nan_ok=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferroni(p):
    adjusted = holm(p)
    for before, after in zip(p, adjusted, strict=True):
        assert before <= after <= min(1.0, before * len(p))
    in_order = [adjusted[i] for i in np.argsort(p)]
    assert in_order == sorted(in_order)


def test_holm_keeps_the_chance_of_any_false_mark():
    rng = np.random.default_rng(0)
    false = np.mean([min(holm(list(rng.uniform(size=10)))) <= 0.05 for _ in range(2000)])
    assert 0.035 < false < 0.065
