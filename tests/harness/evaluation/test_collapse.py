"""Collapse: what each measure sees, and what blocks."""

import numpy as np
import pytest
from msgspec.structs import astuple
from scipy import stats

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.collapse import (
    RANK_GROUPS,
    RANK_SAMPLE,
    Spread,
    groups_of,
    rank_ratio,
    rankme,
    ranks_without,
    spread,
)
from lvm_gates.harness.judging.gates import statistics_of
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.release import blocking_reasons, collapse

DIM = 96


@pytest.fixture(scope="module")
def isotropic():
    return unit(np.random.default_rng(0).standard_normal((600, DIM)))


def by_definition(vectors):
    """exp of the entropy of the normalised singular values, from a full SVD."""
    singular = np.linalg.svd(vectors, compute_uv=False)
    p = singular / singular.sum()
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


@pytest.mark.parametrize("shape", [(400, 32), (32, 400), (64, 64), (2, 5)])
def test_rankme_is_the_entropy_of_singular_values(shape):
    vectors = unit(np.random.default_rng(1).standard_normal(shape))
    # The paper's 1e-7 in each share moves the metric by 1e-5 of it.
    assert rankme(vectors) == pytest.approx(by_definition(vectors), rel=1e-4)


def test_rankme_counts_directions_of_equal_strength():
    assert rankme(np.repeat(np.eye(8)[:3], 5, axis=0)) == pytest.approx(3, abs=1e-4)
    assert rankme(np.ones((7, 4))) == pytest.approx(1, abs=1e-4)
    assert rankme(np.zeros((5, 4))) == 1


def test_rankme_adds_the_papers_ten_millionth_to_each_share():
    one = rankme(np.repeat(np.eye(4)[:1], 8, axis=0))
    assert np.log(one) == pytest.approx(3e-7 * np.log(1e7) - 1e-7, rel=0.01)
    # Whatever the vectors' length: singular values that add to one are two directions all the same.
    assert rankme(np.eye(2) / 2) == pytest.approx(2, abs=1e-4)


def test_a_spread_is_of_512_vectors_at_most_the_first_and_the_last_among_them():
    vectors = np.repeat(np.eye(4)[:1], 1024, axis=0)
    assert (spread(vectors).n, spread(vectors[:512]).n, spread(vectors[:2]).n) == (512, 512, 2)
    assert spread(vectors).variance == 0
    assert np.isfinite(spread(vectors[:2]).rankme)
    for place in (0, -1):
        other = vectors.copy()
        other[place] = np.eye(4)[1]
        assert spread(other).variance > 0
    half = vectors[:4].copy()
    half[1, 2] = np.nan  # one coordinate is enough
    assert spread(half).n == 3


def test_spread_of_isotropic_vectors_is_nearly_the_dimension(isotropic):
    found = spread(isotropic)
    assert found.n == RANK_SAMPLE
    assert found.rankme == pytest.approx(by_definition(isotropic[:RANK_SAMPLE]), rel=0.01)
    assert 0.9 * DIM < found.rankme < DIM
    assert found.variance == pytest.approx(1, abs=0.01)


def test_variance_is_total_and_about_the_mean():
    vectors = np.array([[1.0, 0], [0, 1.0], [1, 0], [0, 1]])
    assert spread(vectors).variance == pytest.approx(0.5)


def test_rows_without_direction_are_left_out_of_the_spread(isotropic):
    spoiled = isotropic[:100].copy()
    spoiled[::2] = np.nan
    np.testing.assert_allclose(spread(spoiled), spread(isotropic[1:100:2]))
    assert spread(spoiled).n == 50
    assert spread(np.full((5, 4), np.nan)).n == 0
    assert np.isnan(spread(isotropic[:1]).rankme)


def test_the_sample_is_spread_over_the_whole_set():
    vectors = np.zeros((3 * RANK_SAMPLE, 4))
    vectors[: 2 * RANK_SAMPLE, 0] = 1
    vectors[2 * RANK_SAMPLE :, 1] = 1
    assert spread(vectors).variance == pytest.approx(2 / 3 * 1 / 3 * 2, abs=0.01)


def outputs(kind, isotropic):
    rng = np.random.default_rng(2)
    direction = unit(rng.standard_normal(DIM))
    n = len(isotropic)
    if kind == "constant":
        return np.tile(direction, (n, 1))
    if kind == "constant plus noise":
        return unit(direction + 1e-4 * rng.standard_normal((n, DIM)))
    if kind == "plus or minus one vector":
        return direction * rng.choice([-1, 1], size=(n, 1))
    if kind == "one of two vectors":
        return isotropic[rng.integers(0, 2, size=n)]
    if kind == "nan":
        return np.full((n, DIM), np.nan)
    return unit(isotropic + direction * 0.5) if kind == "healthy" else isotropic


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("constant", "collapsed on VAL: predictions vary"),
        ("constant plus noise", "collapsed on VAL: predictions vary"),
        ("plus or minus one vector", "collapsed on VAL: effective rank 1.0 (centred 1.0)"),
        ("one of two vectors", "collapsed on VAL: effective rank 2.0 (centred 1.0)"),
        ("nan", "600 of 600 windows on VAL have a prediction that is not finite"),
        ("healthy", None),
    ],
)
def test_what_blocks(make_observations, isotropic, kind, reason):
    made = outputs(kind, isotropic)
    observed = make_observations(
        600, finite=np.isfinite(made).all(axis=1), spread=spread(made), target_spread=spread(isotropic)
    )

    gates = statistics_of({"VAL": observed, "OOD": observed})
    reasons = blocking_reasons({"VAL": observed}, gates, load_profile("5cat"))
    if reason is None:
        assert reasons == []
    else:
        assert len(reasons) == 1
        assert reason in reasons[0]


@pytest.mark.parametrize("dim", [8, 16, 32])
def test_predictions_on_one_line_are_a_collapse_in_any_dimension(make_observations, dim):
    """RankMe is at least 1, so a floor that is a share of a small target rank could never be missed."""

    rng = np.random.default_rng(0)
    targets = unit(rng.standard_normal((600, dim)))
    line = unit(rng.standard_normal(dim)) * rng.choice([-1, 1], size=(600, 1))
    observed = make_observations(600, spread=spread(line), target_spread=spread(targets))
    gates = statistics_of({"VAL": observed, "OOD": observed})
    assert any("collapsed" in r for r in blocking_reasons({"VAL": observed}, gates, load_profile("5cat")))


# Of the targets, on Wikipedia sentences: ranks 253 and 252.
TARGET = Spread(253.0, 252.0, 0.9, 512)


@pytest.mark.parametrize(
    ("own", "collapsed"),
    [
        # Ridge, P1 after five epochs, a regressor as weak as R2 = .25: alive.
        (Spread(0.66 * 253, 0.66 * 252, 0.6, 512), False),
        (Spread(0.25 * 253, 0.25 * 252, 0.3, 512), False),
        (Spread(8.0, 8.0, 0.0225, 512), False),
        # One of three vectors, with any variance; the centred rank is one less.
        (Spread(3.0, 2.0, 0.6, 512), True),
        (Spread(3.0, 8.0, 0.6, 512), True),
        (Spread(8.0, 3.0, 0.6, 512), True),
        # A constant and a little noise: the rank of the noise, and no variance.
        (Spread(253.0, 252.0, 0.0075, 512), True),
        (Spread(253.0, 252.0, 4e-6, 512), True),
    ],
)
def test_a_collapse_is_far_below_the_weakest_regressor_and_above_any_constant(make_observations, own, collapsed):
    found = collapse(make_observations(60, spread=own, target_spread=TARGET))
    assert (found is not None) == collapsed


@pytest.mark.parametrize(("centred", "collapsed"), [(1.0, True), (1.4, True), (1.6, False)])
def test_where_targets_have_few_directions_a_line_is_a_collapse_and_a_plane_is_not(
    make_observations, centred, collapsed
):
    own, target = Spread(2.0, centred, 0.6, 512), Spread(7.9, 7.9, 0.9, 512)
    assert (collapse(make_observations(60, spread=own, target_spread=target)) is not None) == collapsed


def test_the_floor_of_the_variance_is_a_share_of_that_of_the_targets(make_observations):
    target = TARGET._replace(variance=0.25)
    for variance, collapsed in ((0.003, False), (0.002, True)):
        own = Spread(253.0, 252.0, variance, 512)
        found = collapse(make_observations(60, spread=own, target_spread=target))
        assert (found is not None) == collapsed


def test_a_collapse_needs_two_predictions_to_be_seen(make_observations):
    for n, seen in ((1, False), (2, True)):
        found = collapse(make_observations(60, spread=Spread(1.0, 1.0, 0.0, n), target_spread=TARGET))
        assert (found is not None) == seen


def test_the_words_of_a_collapse_give_the_metrics(make_observations):
    def said(own):
        return collapse(make_observations(60, spread=own, target_spread=TARGET))

    assert said(Spread(253.0, 252.0, 0.009 * 0.9, 512)) == "predictions vary 9.0e-03 as much as targets (floor 0.01)"
    assert said(Spread(3.0, 2.0, 0.6, 512)) == (
        "effective rank 3.0 (centred 2.0) where the targets have 253 (floor 5.1, centred 5.0)"
    )


def test_targets_without_variance_have_nothing_to_compare_a_collapse_with(make_observations):
    line, targets = np.eye(8)[[0, 0, 1]].repeat(20, axis=0), np.eye(8)[[2] * 60]
    assert spread(targets).variance == 0
    assert collapse(make_observations(60, spread=spread(line), target_spread=spread(targets))) is None
    assert collapse(make_observations(60, spread=spread(line))) is not None


def test_constant_plus_noise_hides_from_the_centred_rank_alone(isotropic):
    found = spread(outputs("constant plus noise", isotropic))
    assert found.rankme_centred > 0.9 * spread(isotropic).rankme_centred
    assert found.rankme < 2
    assert isinstance(found, Spread)


def narrow_and_wide(rng, articles, *, narrowness=0.5):
    """Predictions of two predictors on the same windows; each article has directions of its own."""
    clusters = np.repeat(np.arange(articles), 24)
    scale = np.exp(-np.arange(32) / 6)
    topic = rng.normal(size=(articles, 32)) * scale * rng.lognormal(sigma=0.3, size=(articles, 1))
    wide = topic[clusters] + rng.normal(size=(len(clusters), 32)) * scale
    return unit(wide * scale**narrowness), unit(wide), clusters


def ratio_of(narrow, wide, clusters):
    ranks = spread(narrow).rankme, spread(wide).rankme
    without = ranks_without(narrow, groups_of(clusters)), ranks_without(wide, groups_of(clusters))
    return rank_ratio(ranks, without, 0, len(narrow), len(np.unique(clusters)))


def test_a_rank_ratio_covers_what_it_is_over_many_draws_of_articles():
    rng = np.random.default_rng(0)
    found = [ratio_of(*narrow_and_wide(rng, 20)) for _ in range(150)]
    middle = np.median([one.value for one in found])
    covered = np.mean([one.low <= middle <= one.high for one in found])
    assert 0.90 <= covered <= 0.99  # 150 draws have a standard error of .018
    # An interval is four standard deviations of the draws wide where it is right.
    assert np.median([one.high - one.low for one in found]) < 6 * np.std([one.value for one in found])
    assert (found[0].n, found[0].articles) == (480, 20)


def test_a_predictor_has_the_rank_of_itself_without_doubt():
    narrow, _, clusters = narrow_and_wide(np.random.default_rng(1), 12)
    assert astuple(ratio_of(narrow, narrow, clusters))[:3] == pytest.approx((1, 1, 1))


def test_few_articles_have_a_rank_ratio_and_no_interval():
    found = ratio_of(*narrow_and_wide(np.random.default_rng(2), 9))
    assert 0 < found.value < 1
    assert np.isnan([found.low, found.high]).all()
    assert found.articles == 9
    assert np.isnan(rank_ratio((np.nan, 3.0), (np.ones((RANK_GROUPS, 3)),) * 2, 0, 1, 12).value)


def test_the_interval_of_a_rank_ratio_is_that_of_ten_groups_left_out_in_turn():
    """Of equal groups: nine tenths of the squares about the mean of the logarithms, and nine degrees of freedom."""
    narrow, wide, clusters = narrow_and_wide(np.random.default_rng(4), 20)
    above, below = ranks_without(narrow, groups_of(clusters)), ranks_without(wide, groups_of(clusters))
    assert above.shape == (10, 3)
    assert (above[:, 2] == 48).all()
    for column in (0, 1):
        logs = np.log(above[:, column] / below[:, column])
        error = np.sqrt(0.9 * ((logs - logs.mean()) ** 2).sum())
        found = rank_ratio((3.0, 6.0), (above, below), column, 480, 20)
        assert found.value == 0.5
        reach = stats.t.ppf(0.975, 9) * error
        assert (found.low, found.high) == pytest.approx((0.5 * np.exp(-reach), 0.5 * np.exp(reach)))


@pytest.mark.parametrize("ranks", [(np.nan, 3.0), (3.0, np.nan), (0.0, 3.0), (3.0, 0.0)])
def test_a_rank_that_is_none_has_no_ratio(ranks):
    without = (np.tile([2.0, 2.0, 5.0], (RANK_GROUPS, 1)),) * 2
    assert np.isnan(rank_ratio(ranks, without, 0, 50, 12).value)
    assert rank_ratio((1.0, 2.0), without, 0, 50, 12).value == 0.5
    assert rank_ratio((2.0, 1.0), without, 0, 50, 12).value == 2.0


def test_what_is_left_without_a_group_has_a_rank_from_two_vectors_up():
    three = ranks_without(np.eye(4)[:3], np.arange(3))
    assert three[:3, 0] == pytest.approx(np.full(3, 2.0), abs=1e-4)
    assert three[:3, 1] == pytest.approx(np.full(3, 1.0), abs=1e-4)
    assert three[:, 2].tolist() == [1] * 3 + [0] * 7
    two = ranks_without(np.eye(4)[:2], np.arange(2))
    assert np.isnan(two[:2, :2]).all()
    assert np.isfinite(two[2:, :2]).all()


def test_ranks_are_left_out_by_whole_articles():
    _, wide, clusters = narrow_and_wide(np.random.default_rng(3), 25)
    found = ranks_without(wide, groups_of(clusters * 7 + 5))
    kept = np.linspace(0, len(wide) - 1, RANK_SAMPLE).astype(int)
    rest = wide[kept[clusters[kept] % RANK_GROUPS != 4]]
    assert found[4, 0] == pytest.approx(rankme(rest))
    assert found[4, 1] == pytest.approx(rankme(rest - rest.mean(axis=0)))
    assert found[:, 2].sum() == RANK_SAMPLE
