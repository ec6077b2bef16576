"""A bank that streams gives the ranks of one that is held; other corpora, duplicates and NaN included."""

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation import bank as bank_module
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.candidates import POOLS, Ranking
from lvm_gates.harness.evaluation.named_bank import with_bank
from lvm_gates.harness.evaluation.observe import observe, observe_together

GLOBAL = POOLS.index("global")


@pytest.fixture
def corpus(make_corpus):
    """Articles with chunks that stand twice, in the same and in another article."""
    vectors = unit(np.random.default_rng(4).standard_normal((90, 12)))
    vectors[40], vectors[7], vectors[8] = vectors[5], vectors[5], vectors[71]
    return make_corpus([30, 25, 35], vectors=vectors)


@pytest.fixture
def predictions(corpus, make_set):
    found = unit(np.random.default_rng(5).standard_normal((len(make_set(corpus).windows), 12)))
    found[3] = np.nan
    found[9] = unit(corpus.vectors(make_set(corpus).windows.targets[9:10]))[0]
    return found


@pytest.fixture(params=[7, 10**6], ids=["small blocks", "one block"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(bank_module, "SCAN_ROWS", request.param)
    monkeypatch.setattr(bank_module, "_WINDOWS", min(request.param, 256))


def test_the_whole_split_as_a_bank_gives_the_ranks_of_the_default(corpus, make_set, predictions, blocks):
    held = make_set(corpus)
    expected = Ranking(held.windows, held).ranks(predictions)
    ((rank, size),) = Bank(corpus, held.rows).ranks([predictions], held.windows)
    np.testing.assert_array_equal(rank, expected.rank[:, GLOBAL])
    np.testing.assert_array_equal(size[np.arange(len(size)) != 3], np.delete(expected.size[:, GLOBAL], 3))
    assert rank[3] == size[3], "NaN ranks last"
    assert rank[9] == 1


def test_chunks_of_another_corpus_that_equal_the_target_are_no_rivals(corpus, make_corpus, make_set, blocks):
    windows = make_set(corpus).windows
    near = unit(corpus.vectors(windows.targets[:4]).astype(np.float64) + 1e-6)
    other = make_corpus([4, 9], vectors=np.concatenate([near, unit(np.random.default_rng(6).standard_normal((9, 12)))]))
    truth = unit(windows.target_vectors())
    ((rank, size),) = Bank(other, np.arange(13)).ranks([truth], windows)
    assert (rank == 1).all()
    assert size[:4].tolist() == [13, 13, 13, 13]
    assert (size[10:] >= 13).all()


def test_predictors_side_by_side_have_the_ranks_that_each_has_alone(corpus, make_set, predictions, blocks):
    held = make_set(corpus)
    bank = Bank(corpus, held.rows[::2])
    both = bank.ranks([predictions, -predictions], held.windows)
    for own, (rank, size) in zip([predictions, -predictions], both, strict=True):
        ((alone, of),) = bank.ranks([own], held.windows)
        np.testing.assert_array_equal(rank, alone)
        np.testing.assert_array_equal(size, of)


@pytest.mark.parametrize("asked", ["90", "all", "1000"])
def test_an_observation_with_a_bank_differs_in_nothing_but_global(corpus, make_set, as_named, scrambler, asked):
    held = make_set(corpus)
    predictors = [as_named(scrambler(3, 12), "one"), as_named(scrambler(3, 12), "two")]
    expected = observe(predictors[0], held, batch_size=8)
    for found in observe_together(predictors, with_bank(held, asked), batch_size=8):
        for name, values in expected.arrays().items():  # the whole corpus is the split
            np.testing.assert_array_equal(found.arrays()[name], values, err_msg=name)
    few = observe(predictors[0], with_bank(held, "20"), batch_size=8)
    assert few.pool_size[:, GLOBAL].max() <= 21
    np.testing.assert_array_equal(few.rank[:, :GLOBAL], expected.rank[:, :GLOBAL])


def test_a_bank_that_is_the_judged_corpus_under_another_path_knows_the_frames(corpus, make_set, tmp_path):
    held = make_set(corpus)
    found = with_bank(held, str(corpus.path))
    assert found.asked_bank.corpus is corpus
    assert len(found.asked_bank) == 90


@pytest.mark.parametrize(
    ("asked", "said"),
    [("0", "at least 1"), ("nowhere/", "is not there"), ("everything", "is not there; give a number of chunks, all")],
)
def test_what_is_no_bank_is_refused_in_a_sentence(corpus, make_set, asked, said):
    with pytest.raises(UserError, match=said):
        with_bank(make_set(corpus), asked)


def test_a_bank_of_another_encoder_is_refused(corpus, make_corpus, make_set):
    with pytest.raises(UserError, match=r"5 dimensions where .* has 12"):
        with_bank(make_set(corpus), str(make_corpus([6, 6], dim=5).path))
