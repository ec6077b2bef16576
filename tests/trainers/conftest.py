"""A corpus small enough to train on in a second: a predictable chain in every article."""

import numpy as np
import pytest

from lvm_gates.harness.corpus.corpus import write_corpus

DIM = 8


def _make_corpus(folder, splits, length=14, vectors=None, seed=0):
    """Articles whose chunks follow one rotation, so that the next chunk can be learnt."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    if vectors is None:
        rows = []
        for _ in splits:
            state = rng.normal(size=DIM)
            for _ in range(length):
                state = turn @ state + 0.1 * rng.normal(size=DIM)
                rows.append(state / np.linalg.norm(state))
        vectors = np.array(rows, dtype=np.float32)
    lengths = np.full(len(splits), length)
    return write_corpus(folder, vectors, lengths, splits=np.array(splits), meta={"kind": "test"})


@pytest.fixture(scope="session")
def make_corpus():
    """Writes a corpus: make_corpus(folder, splits, length=14, vectors=None, seed=0)."""
    return _make_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return _make_corpus(tmp_path_factory.mktemp("corpus"), ["TRAIN"] * 12 + ["VAL"] * 4 + ["OOD"] * 2)
