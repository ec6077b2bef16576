"""Indexes, their measured recall, and what is far from a corpus."""

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.serving.bank import Bank
from lvm_gates.serving.familiarity import Familiarity


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((24_500, 32)))
    folder = tmp_path_factory.mktemp("larger") / "corpus"
    return write_corpus(folder, vectors, np.full(245, 100), splits=np.full(245, "VAL"), meta={"kind": "test"})


def test_a_flat_bank_is_exact(corpus):
    queries = unit(np.random.default_rng(1).standard_normal((40, 16)))
    rows, cosine = Bank.build(corpus).nearest(queries, 7)
    every = queries @ corpus.vectors(np.arange(corpus.size)).T.astype(np.float64)
    assert np.allclose(cosine, np.sort(every, axis=1)[:, :-8:-1], atol=1e-6)
    assert np.array_equal(rows[:, 0], every.argmax(axis=1))


def test_more_than_there_is(corpus):
    rows, _ = Bank.build(corpus).nearest(corpus.vectors(np.arange(2)), 10_000)
    assert rows.shape == (2, corpus.size)


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_the_recall_of_an_approximate_bank_is_measured(larger, kind):
    bank = Bank.build(larger, kind)
    exact = Bank.build(larger)
    queries = larger.vectors(np.random.default_rng(3).choice(larger.size, 400, replace=False))
    found, wanted = bank.nearest(queries, 10)[0], exact.nearest(queries, 10)[0]
    recall = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found, wanted, strict=True)])
    assert 0.5 < bank.recall < 1.0 or kind == "hnsw"
    assert bank.recall == pytest.approx(recall, abs=0.05)


def test_too_small_for_an_inverted_file(corpus):
    with pytest.raises(UserError, match=r"480 chunks are too few for --bank ivf; use --bank flat"):
        Bank.build(corpus, "ivf")


def test_one_in_a_hundred_of_its_own_windows_is_far(corpus):
    bank = Bank.build(corpus)
    measured = Familiarity.measure(bank, 5)
    assert measured.windows == 360
    assert not measured.is_far(measured.of(bank, corpus.vectors(np.arange(5))))
    rng = np.random.default_rng(0)
    strange = [unit(rng.standard_normal((5, 16))).astype(np.float32) for _ in range(50)]
    assert np.mean([measured.is_far(measured.of(bank, each)) for each in strange]) > 0.9


def test_a_single_article_says_nothing(tmp_path):
    vectors = unit(np.random.default_rng(0).standard_normal((20, 4)))
    one = write_corpus(tmp_path / "c", vectors, np.array([20]), splits=np.array(["VAL"]), meta={"kind": "test"})
    measured = Familiarity.measure(Bank.build(one), 5)
    assert measured.threshold is None
    assert not measured.is_far(-1.0)
