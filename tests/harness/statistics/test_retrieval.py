"""Scores of ranks: what counts as a hit, what chance would score, what is undefined."""

import numpy as np
import pytest

from lvm_gates.harness.statistics import retrieval


@pytest.mark.parametrize("sizes", [[4, 4], [3, 40], [5, 6]])
def test_chance_is_what_a_random_order_scores(make_observations, sizes):
    size = np.tile(np.array(sizes)[:, None], (1, 3))
    chance = retrieval(make_observations(2, clusters=[0, 1], rank=np.ones((2, 3)), pool_size=size))["novel"][
        "chance_of"
    ]
    expected = {
        "R@1": np.mean([np.mean([r == 1 for r in range(1, n + 1)]) for n in sizes]),
        "R@5": np.mean([np.mean([r <= 5 for r in range(1, n + 1)]) for n in sizes]),
        "MRR": np.mean([np.mean([1 / r for r in range(1, n + 1)]) for n in sizes]),
    }
    for name, value in expected.items():
        assert chance[name] == pytest.approx(value, abs=1e-12)


def test_recall_counts_ranks_up_to_k_and_an_expected_rank_of_one_and_a_half_is_no_hit(make_observations):
    rank = np.array([1.0, 1.5, 5.0, 5.5, 6.0, 2.0])
    found = retrieval(make_observations(6, rank=np.stack([rank, rank[::-1], rank], axis=1)))["article"]
    assert found["R@1"].value == pytest.approx(1 / 6)
    assert found["R@5"].value == pytest.approx(4 / 6)
    assert found["MRR"].value == pytest.approx(np.mean(1 / rank))
    assert found["mean_rank"].value == pytest.approx(rank.mean())
    assert found["size"] == 50


def test_the_candidate_sets_are_listed_each_with_its_own_ranks(make_observations):
    found = retrieval(make_observations(40, rank=np.tile([1.0, 2.0, 4.0], (40, 1)))).items()
    assert [name for name, _ in found] == ["article", "novel", "global"]
    assert [pool.mrr.value for _, pool in found] == [1.0, 0.5, 0.25]


def test_candidate_sets_that_a_protocol_lacks_are_undefined_not_zero(make_observations):
    rank = np.ones((40, 3))
    rank[:, 1:] = np.nan
    found = retrieval(make_observations(40, rank=rank))
    assert found["article"]["R@1"].value == 1
    for statistic in ("R@1", "R@5", "MRR", "mean_rank"):
        assert np.isnan(found["novel"][statistic].value), statistic
