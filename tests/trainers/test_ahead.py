"""Batches made ahead: the same, in the same order, and no thread outlives who asked for them."""

import threading
from contextlib import closing

import numpy as np
import pytest
import torch

from lvm_gates.trainers.ahead import made_ahead
from lvm_gates.trainers.batches import Gatherer, training_windows
from lvm_gates.trainers.recipe import Needs
from lvm_gates.trainers.seeding import epoch_order, negatives_rng


def gathered(corpus, **options):
    windows = training_windows(corpus, 3)[0]
    needs = Needs(ahead=2, negatives=3)
    gatherer = Gatherer(needs, torch.device("cpu"), negatives_rng(0, 1), windows.targets)
    return list(gatherer.batches(windows, epoch_order(len(windows), 0, 1), 16, **options))


@pytest.mark.parametrize("ahead", [0, 1, 2, 20])
@pytest.mark.parametrize("skip", [0, 3])
def test_batches_are_the_same_however_far_ahead(corpus, ahead, skip):
    """Negatives too, which are drawn one batch after another; those that are skipped are as if they had been used."""
    found, wanted = gathered(corpus, ahead=ahead, skip=skip), gathered(corpus, ahead=0)[skip:]
    assert len(found) == len(wanted) > 4
    for one, other in zip(found, wanted, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_at_most_so_many_are_ahead(depth):
    begun, asked = [], 0
    with closing(made_ahead(lambda n: begun.append(n) or n, range(20), depth)) as results:
        for result in results:
            assert result == asked
            asked += 1
            assert max(begun) <= result + depth
    assert begun == list(range(20))


def test_a_failure_is_raised_where_its_result_is_asked_for():
    def make(n):
        if n == 2:
            raise ValueError("two")
        return n

    results = made_ahead(make, range(5))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_no_thread_is_left_by_who_stops_asking():
    with closing(made_ahead(np.sqrt, range(100))) as results:
        assert next(results) == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gather")]
