"""Offsets: k counts from the last context frame, whatever C and D are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.statistics import offset_sweep


@given(
    k=st.sampled_from(OFFSETS),
    context=st.integers(1, 6),
    dim=st.integers(2, 17),
    extra=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    jumps=st.dictionaries(st.integers(1, 40), st.sampled_from([0, 2, 5]), max_size=2),
    seed=st.integers(0, 99),
)
def test_a_predictor_that_knows_the_chunk_at_k_peaks_at_k_with_cosine_one(
    make_corpus, make_set, as_named, peek, k, context, dim, extra, jumps, seed
):
    # An article that no jump can touch, so that some window has all seven offsets.
    lengths = [*(context + 3 + e for e in extra), context + 8]
    jumps = {row: step for row, step in jumps.items() if row < sum(lengths[:-1])}
    corpus = make_corpus(lengths, dim=dim, jumps=jumps, seed=seed)
    evaluation = make_set(corpus, context=context)
    observed = observe(as_named(peek(corpus, k)), evaluation, batch_size=256)
    sweep = offset_sweep(observed)
    vectors = corpus.vectors(np.arange(corpus.size)).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    kept = [
        int(t)
        for t in evaluation.windows.targets
        if all(corpus.run_start[t] <= t - 1 + j < corpus.run_end[t] for j in OFFSETS)
    ]
    assert kept
    np.testing.assert_array_equal(observed.rows[observed.offset_exists], kept)
    means = {j: np.mean([vectors[t - 1 + k] @ vectors[t - 1 + j] for t in kept]) for j in OFFSETS}
    assert sweep["c"][str(k)].value == pytest.approx(1, abs=1e-12)
    assert sweep["peak"] == k
    for j in OFFSETS:
        assert sweep["c"][str(j)].value == pytest.approx(means[j], abs=1e-12)
        assert sweep["c"][str(j)].n == len(kept)
    assert sweep["margin"].value == pytest.approx(means[1] - max(v for j, v in means.items() if j != 1), abs=1e-12)
    assert sweep["margin_vs_last"].value == pytest.approx(means[1] - means[0], abs=1e-12)
    assert sweep["margin_vs_previous"].value == pytest.approx(means[1] - means[-1], abs=1e-12)
    assert (sweep["margin"].value > 0) == (k == 1)


def test_the_margin_is_held_against_the_best_rival_on_the_mean_and_paired(make_observations):
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 0.3, size=(90, 1))  # common to all offsets of a window: cancels in a paired difference
    means = np.array([0.1, 0.2, 0.35, 0.5, 0.6, 0.55, 0.3])
    sweep = offset_sweep(
        make_observations(90, clusters=np.arange(90) // 3, offset=means + shared + rng.normal(0, 1e-3, (90, 7)))
    )
    assert sweep["peak"] == 1
    assert sweep["margin"].value == pytest.approx(0.05, abs=1e-3)  # over k=+2, not over k=0
    assert sweep["margin_vs_last"].value == pytest.approx(0.10, abs=1e-3)
    assert sweep["margin_vs_previous"].value == pytest.approx(0.25, abs=1e-3)
    assert sweep["margin"].high - sweep["margin"].low < 2e-3
    assert sweep["c"]["1"].high - sweep["c"]["1"].low > 0.05


def test_windows_without_all_seven_chunks_do_not_count(make_observations):
    offset = np.tile([0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1], (4, 1))
    offset[3, 0] = 5.0
    sweep = offset_sweep(make_observations(4, offset=offset, offset_exists=[True, True, True, False]))
    assert sweep["c"]["-3"].value == pytest.approx(0.1)
    assert sweep["margin"].n == 3


@pytest.mark.parametrize("column", range(7))
def test_one_undefined_cosine_leaves_no_margin_and_no_peak(make_observations, column):
    offset = np.tile([0.1, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1], (40, 1))
    offset[7, column] = np.nan
    sweep = offset_sweep(make_observations(40, offset=offset))
    assert np.isnan(sweep["margin"].value)
    assert sweep["peak"] is None
    assert np.isnan(sweep["c"][str(OFFSETS[column])].value)


def test_no_window_with_all_seven_chunks_is_undefined_with_n_zero(make_observations):
    sweep = offset_sweep(make_observations(5, offset_exists=np.zeros(5, dtype=bool)))
    assert sweep["margin"].n == 0
    assert np.isnan(sweep["margin"].value)
    assert sweep["peak"] is None
