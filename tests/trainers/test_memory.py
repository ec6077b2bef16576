"""Windows are gathered a batch at a time: an epoch takes a small part of what the original arrays took."""

import tracemalloc

import numpy as np
import pytest
import torch

from lvm_gates.harness.corpus import corpus as corpus_module
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.trainers.batches import Gatherer, training_windows
from lvm_gates.trainers.recipe import Needs
from lvm_gates.trainers.seeding import epoch_order

CONTEXT, DIM = 5, 768
ARTICLES, LENGTH = 200, 100


@pytest.fixture(autouse=True)
def _too_large_to_keep(monkeypatch):
    """As a corpus of the original size is, whose embeddings stay on the disk."""
    monkeypatch.setattr(corpus_module, "KEPT_NUMBERS", 0)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    vectors = np.random.default_rng(0).standard_normal((ARTICLES * LENGTH, DIM), dtype=np.float32)
    return write_corpus(
        tmp_path_factory.mktemp("large"),
        vectors,
        np.full(ARTICLES, LENGTH),
        splits=np.array(["TRAIN"] * (ARTICLES - 2) + ["VAL"] * 2),
        meta={"kind": "test"},
        dtype="float16",
    )


def peak(work):
    """Most bytes that Python and NumPy held at once while ``work`` ran, over what they held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_an_epoch_of_batches_takes_a_third_of_the_arrays_at_most(large):
    windows = []

    def epoch():
        training = training_windows(large, CONTEXT)[0]
        windows.append(len(training))
        gatherer = Gatherer(Needs(), torch.device("cpu"), np.random.default_rng(0), training.targets)
        for batch in gatherer.batches(training, epoch_order(len(training), 0, 1), 64):
            assert batch.context.dtype == torch.float32

    taken = peak(epoch)
    assert windows == [(ARTICLES - 2) * (LENGTH - CONTEXT)]
    published = windows[0] * (CONTEXT + 1) * DIM * 4
    assert taken < published / 3
    # The gathering alone, without the one scan for broken vectors, takes some batches.
    training = training_windows(large, CONTEXT)[0]
    gatherer = Gatherer(Needs(), torch.device("cpu"), np.random.default_rng(0), training.targets)

    def gather():
        for number, _ in enumerate(gatherer.batches(training, epoch_order(len(training), 0, 1), 64)):
            if number == 20:
                break

    assert peak(gather) < 16 * 64 * (CONTEXT + 1) * DIM * 4


def test_the_measurement_sees_arrays(large):
    part = training_windows(large, CONTEXT)[0].take(slice(0, 1000))
    assert peak(part.contexts) > 1000 * CONTEXT * DIM * 4
