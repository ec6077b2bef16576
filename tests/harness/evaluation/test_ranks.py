"""Expected rank against an enumeration of all orders of the tied."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lvm_gates.harness.base.vectors import dots, unit
from lvm_gates.harness.evaluation import ranks
from lvm_gates.harness.evaluation.ranks import (
    TIE,
    Pairs,
    count_ahead,
    count_ahead_together,
    expected_rank,
    mean_rank,
    rounding,
)

small = st.tuples(st.integers(1, 4), st.integers(0, 7)).flatmap(
    lambda shape: st.tuples(
        arrays(np.int64, shape, elements=st.integers(0, 3)),
        arrays(np.int64, shape[0], elements=st.integers(0, 3)),
        arrays(bool, shape),
        arrays(bool, shape[0]),
    )
)


def rank_by_enumeration(similarities, own, rivals):
    """Mean over all places that the target can take among those it ties with."""
    counted = [s for s, is_rival in zip(similarities, rivals, strict=True) if is_rival]
    if not np.isfinite(own):
        return float(len(counted) + 1)
    first = 1 + sum(s > own for s in counted)
    last = len(counted) + 1 - sum(s < own for s in counted)
    return sum(range(first, last + 1)) / (last - first + 1)


@given(case=small)
def test_ranks_are_the_mean_over_all_orders_of_the_tied_and_nan_is_worst(case):
    similarity, target, rival, broken = case
    similarity, target = similarity / 4, target / 4
    similarity[broken], target[broken] = np.nan, np.nan
    rank, size = expected_rank(similarity, target, rival)
    for i in range(len(target)):
        assert rank[i] == rank_by_enumeration(similarity[i], target[i], rival[i])
        assert size[i] == sum(rival[i]) + 1


@given(case=small, rise=st.integers(0, 3))
def test_a_target_more_alike_never_ranks_worse(case, rise):
    similarity, target, rival, _ = case
    before, _ = expected_rank(similarity.astype(float), target.astype(float), rival)
    after, _ = expected_rank(similarity.astype(float), (target + rise).astype(float), rival)
    assert (after <= before).all()
    assert (after >= 1).all()


def test_the_ranks_of_all_members_of_a_candidate_set_add_up_like_a_permutation():
    values = np.array([0.3, 0.3, 0.1, 0.9, 0.3, -0.2])
    n = len(values)
    rank, size = expected_rank(np.tile(values, (n, 1)), values, ~np.eye(n, dtype=bool))
    assert rank.sum() == n * (n + 1) / 2
    assert (size == n).all()
    assert rank.tolist() == [3, 3, 5, 1, 3, 6]


@pytest.mark.parametrize(("gap", "rank"), [(0.1 * TIE, 1.5), (10 * TIE, 2.0), (-10 * TIE, 1.0), (-0.1 * TIE, 1.5)])
def test_rounding_is_a_tie_and_the_last_bit_of_a_float16_coordinate_is_not(gap, rank):
    found, _ = expected_rank(np.array([[0.5 + gap]]), np.array([0.5]), np.array([[True]]))
    assert found[0] == rank


def test_a_tie_is_what_rounding_cannot_tell_apart_and_float16_can():
    """In numbers, whatever the tolerance is called: cosines of one pair differ by 1e-15 by the shape of the product."""
    found, _ = expected_rank(np.array([[0.5 + 1e-14]]), np.array([0.5]), np.array([[True]]))
    assert found[0] == 1.5
    stored = np.random.default_rng(0).standard_normal(768).astype(np.float16)
    other = stored.copy()
    middling = np.argsort(np.abs(stored))[384]
    other[middling] = np.nextafter(stored[middling], np.float16(9))
    target, rival = (v.astype(np.float64) / np.linalg.norm(v.astype(np.float64)) for v in (stored, other))
    assert 1e-11 < target @ target - rival @ target < 1e-9
    found, _ = expected_rank(np.array([[rival @ target]]), np.array([target @ target]), np.array([[True]]))
    assert found[0] == 1.0


def test_infinite_similarity_to_the_target_ranks_worst_not_first():
    rank, _ = expected_rank(np.array([[0.1, 0.2]]), np.array([np.inf]), np.ones((1, 2), dtype=bool))
    assert rank[0] == 3


# The float32 product that settles most comparisons, against the float64 similarities of everything.


def nothing_barred():
    return Pairs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


def crowd(n, m, dim, seed, apart=1.0):
    """Predictions, targets, and candidates that crowd around the targets at ``apart``."""
    rng = np.random.default_rng(seed)
    predictions = unit(rng.standard_normal((n, dim)))
    targets = unit(rng.standard_normal((n, dim))).astype(np.float32)
    near = targets[rng.integers(n, size=m)] + apart * rng.standard_normal((m, dim)) / np.sqrt(dim)
    return predictions, targets, unit(near).astype(np.float32)


def reference(predictions, targets, candidates, counts):
    """Rank and size, all in float64."""
    similarity = np.stack([dots(np.repeat(p[None], len(candidates), 0), unit(candidates)) for p in predictions])
    return expected_rank(similarity, dots(predictions, unit(targets)), counts)


@pytest.mark.parametrize("apart", [1.0, 1e-3, 1e-6, 1e-8])
@pytest.mark.parametrize("dim", [2, 24, 768])
def test_ranks_are_those_of_float64_however_close_the_candidates_are(dim, apart):
    """At 1e-6 nearly all of them lie within the error of float32; at 1e-8 many are the same float32 numbers."""
    predictions, targets, candidates = crowd(40, 300, dim, seed=3, apart=apart)
    predictions[7] = np.nan
    target = dots(predictions, unit(targets))
    (ahead,) = count_ahead(predictions, target, candidates, [nothing_barred()])
    found = mean_rank(ahead, np.full(40, 300), target)
    expected, _ = reference(predictions, targets, candidates, np.ones((40, 300), dtype=bool))
    np.testing.assert_array_equal(found, expected)
    assert found[7] == 301


@pytest.mark.parametrize(("tile", "pairs"), [(1, 10**6), (7, 0), (64, 3), (10**6, 10**6)])
def test_neither_tiles_nor_the_way_of_looking_again_change_a_rank(monkeypatch, tile, pairs):
    predictions, targets, candidates = crowd(30, 200, 48, seed=5, apart=1e-6)
    target = dots(predictions, unit(targets))
    (expected,) = count_ahead(predictions, target, candidates, [nothing_barred()])
    monkeypatch.setattr(ranks, "_TILE", tile)
    monkeypatch.setattr(ranks, "_PAIRS", pairs)
    (found,) = count_ahead(predictions, target, candidates, [nothing_barred()])
    np.testing.assert_array_equal(found.above, expected.above)
    np.testing.assert_array_equal(found.tied, expected.tied)


def test_nested_sets_count_what_is_left_in_each(monkeypatch):
    monkeypatch.setattr(ranks, "_TILE", 16)
    predictions, targets, candidates = crowd(20, 50, 6, seed=1)
    target, rng = dots(predictions, unit(targets)), np.random.default_rng(2)
    first = rng.integers(0, 20, 20)
    end = first + rng.integers(0, 30, 20)
    counts = (np.arange(50) >= first[:, None]) & (np.arange(50) < end[:, None])
    barred = []
    for share in (0.2, 0.4):
        cells = rng.random((20, 50)) < share
        barred.append(Pairs.of(*np.nonzero(cells)))
    found = count_ahead(predictions, target, candidates, barred, (first, end))
    for pairs, ahead in zip(barred, found, strict=True):
        counts[pairs.window, pairs.candidate] = False
        rivals = counts.sum(axis=1)
        np.testing.assert_array_equal(
            mean_rank(ahead, rivals, target), reference(predictions, targets, candidates, counts)[0]
        )


@pytest.mark.parametrize("collide", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 7])
def test_predictors_side_by_side_are_counted_as_each_alone(monkeypatch, dim, collide):
    """Also those that say the same in other windows, in all of them, or nothing; and if their keys are the same."""
    monkeypatch.setattr(ranks, "_SHARED_TILE", 16)
    if collide:  # each row's key is then the sum of its bits, which its reverse shares
        monkeypatch.setattr(ranks, "hash64", lambda values, seed, stream: np.zeros(len(values), dtype=np.uint64))
    predictions, targets, candidates = crowd(20, 50, dim, seed=4, apart=1e-3)
    others = [np.roll(predictions, 1, axis=0), predictions[:, ::-1].copy(), np.repeat(predictions[:1], 20, axis=0)]
    asked = [predictions, *others, np.full_like(predictions, np.nan), predictions]
    aims = [dots(own, unit(targets)) for own in asked]
    rng = np.random.default_rng(2)
    own = rng.integers(0, 10, 20), rng.integers(30, 51, 20)
    barred = [Pairs.of(*np.nonzero(rng.random((20, 50)) < share)) for share in (0.2, 0.4)]
    together = count_ahead_together(asked, aims, candidates, barred, own)
    for one, aim, found in zip(asked, aims, together, strict=True):
        for alone, ahead in zip(count_ahead(one, aim, candidates, barred, own), found, strict=True):
            np.testing.assert_array_equal(ahead, alone)
    single = [own.astype(np.float32) for own in asked]
    different = len({row.tobytes() for own in single for row in own})
    assert different < 100
    assert len(ranks._distinct(single)[0]) == (120 if collide and dim > 1 else different)


@pytest.mark.parametrize("dim", [1, 2, 24, 384, 768, 4096])
def test_no_product_is_off_by_more_than_the_bound(dim):
    rng = np.random.default_rng(dim)
    for kind in ("dense", "one sign", "one large"):
        a, b = rng.standard_normal((2, 64, dim))
        if kind == "one sign":  # errors of a sum of like signs add up
            a, b = np.abs(a), np.abs(b)
        if kind == "one large":
            a[:, 0], b[:, 0] = 1e3, 1e3
        a, b = unit(a), unit(b).astype(np.float32)
        product = a.astype(np.float32) @ b.T
        assert np.abs(product - a @ unit(b).T).max() <= rounding(dim)


def test_the_bound_is_not_so_wide_that_everything_is_looked_at_twice():
    assert rounding(768) < 5e-5
    assert rounding(24) < 2e-6


def test_pairs_are_distinct_and_sorted_by_candidate():
    found = Pairs.of(np.array([3, 1, 3, 0]), np.array([2, 5, 2, 2]))
    assert found.window.tolist() == [0, 3, 1]
    assert found.candidate.tolist() == [2, 2, 5]
    both = found.joined(Pairs.of(np.array([9, 1]), np.array([0, 5])))
    assert both.candidate.tolist() == [0, 2, 2, 5]
    assert both.take(both.window > 1).window.tolist() == [9, 3]
