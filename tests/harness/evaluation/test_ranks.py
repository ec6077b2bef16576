"""Expected rank against an enumeration of all orders of the tied."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lvm_gates.harness.evaluation.ranks import TIE, expected_rank

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
