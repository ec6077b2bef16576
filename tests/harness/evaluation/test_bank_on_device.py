"""Ranks counted by torch are those counted without it: here on the device ``cpu``, shapes on ``meta``."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lvm_gates.harness.base import device
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation import bank as bank_module
from lvm_gates.harness.evaluation import bank_on_device
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.bank_on_device import count_block
from lvm_gates.harness.evaluation.named_bank import with_bank


@pytest.fixture
def corpus(make_corpus):
    """Articles with chunks that stand twice."""
    vectors = unit(np.random.default_rng(4).standard_normal((90, 12)))
    vectors[40], vectors[7], vectors[8] = vectors[5], vectors[5], vectors[71]
    return make_corpus([30, 25, 35], vectors=vectors)


@pytest.mark.parametrize("size", [7, 10**6], ids=["small blocks", "one block"])
def test_counts_are_those_of_the_other_path(corpus, make_corpus, make_set, monkeypatch, size):
    monkeypatch.setattr(bank_module, "SCAN_ROWS", size)
    monkeypatch.setattr(bank_on_device, "_WINDOWS", size)
    windows = make_set(corpus).windows
    predictions = unit(np.random.default_rng(5).standard_normal((2, len(windows), 12)))
    predictions[0, 3] = np.nan
    predictions[0, 9] = unit(corpus.vectors(windows.targets[9:10]))[0]
    predictions[1, :20] = unit(corpus.vectors(windows.targets[:20]) + corpus.vectors(windows.targets[:20] - 1))
    # To the device that is there, whatever it is called.
    monkeypatch.setattr(device, "resolve_device", lambda name: torch.device("cpu"))
    near = unit(corpus.vectors(windows.targets[:4]).astype(np.float64) + 1e-6)
    other = make_corpus([4, 9], vectors=np.concatenate([near, unit(np.random.default_rng(6).standard_normal((9, 12)))]))
    for bank in (Bank(corpus, np.arange(90)), Bank(corpus, np.arange(0, 90, 2)), Bank(other, np.arange(13))):
        expected = bank.counts(list(predictions), windows)
        found = replace(bank, device="cuda").counts(list(predictions), windows)
        np.testing.assert_array_equal(found, expected)
        assert expected[1, 0].sum() > 0
        assert expected[:, 2].sum() > 0 or len(bank) == 45


def test_nothing_but_counts_leaves_the_device():
    shape = {"dtype": torch.float64, "device": "meta"}
    pairs = torch.empty(3, dtype=torch.int64, device="meta")
    found = count_block(
        *(torch.empty(2, 5, 8, **shape), torch.empty(2, 5, **shape), torch.empty(5, 8, **shape)),
        *(torch.empty(11, 8, **shape), pairs, pairs),
    )
    assert (found.shape, found.dtype, found.device.type) == ((2, 3, 5), torch.int64, "meta")


def test_a_bank_is_ranked_on_the_device_that_was_named_where_that_has_float64(corpus, make_set):
    devices = {name: with_bank(make_set(corpus), "all", None, name).asked_bank.device for name in ("cuda:1", "mps")}
    assert devices == {"cuda:1": "cuda:1", "mps": "cpu"}
