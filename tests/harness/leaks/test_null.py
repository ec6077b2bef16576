"""The null: which likeness chance offers, and how rarely unrelated text goes beyond it."""

import numpy as np
import pytest

from lvm_gates.harness.leaks.null import RATE, tail_threshold


def test_the_tail_is_that_of_the_bulk_whatever_a_few_copies_do():
    sample = np.random.default_rng(0).exponential(size=2000)
    expected = np.log(1 / RATE)
    assert tail_threshold(sample, RATE) == pytest.approx(expected, rel=0.15)
    sample[:20] = 1000.0
    assert tail_threshold(sample, RATE) == pytest.approx(expected, rel=0.25)


def test_ties_do_not_flatten_the_tail():
    """Signatures of 80 bits have likenesses .025 apart; most of the last tenth may be one value."""
    sample = np.random.default_rng(1).exponential(size=5000) * 0.03
    assert tail_threshold(np.round(sample / 0.025) * 0.025, RATE) == pytest.approx(
        tail_threshold(sample, RATE), rel=0.2
    )
