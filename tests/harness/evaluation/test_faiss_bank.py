"""A FAISS index as the bank: exact where it is flat, beside its measured recall where it is approximate."""

import faiss
import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation import faiss_bank
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.named_bank import with_bank
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.statistics.retrieval import retrieval

GLOBAL = POOLS.index("global")


@pytest.fixture
def corpus(make_corpus):
    vectors = unit(np.random.default_rng(4).standard_normal((300, 12)))
    vectors[40], vectors[7] = vectors[5], vectors[71]
    return make_corpus([30, 25, 35, 210], vectors=vectors)


@pytest.fixture
def written(tmp_path):
    """written(factory string, vectors, metric): ``faiss:`` and the path of such an index."""

    def write(kind, vectors, metric=faiss.METRIC_INNER_PRODUCT, **how):
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        index = faiss.index_factory(vectors.shape[1], kind, metric)
        index.train(vectors)
        if how.pop("ids", False):
            index.add_with_ids(vectors, np.arange(len(vectors)) + 7)
        else:
            index.add(vectors)
        for name, value in how.items():
            setattr(index, name, value)
        faiss.write_index(index, str(tmp_path / "some.index"))
        return f"faiss:{tmp_path / 'some.index'}"

    return write


def everything(corpus):
    return corpus.vectors(np.arange(corpus.size))


@pytest.mark.parametrize("metric", [faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2])
def test_a_flat_index_of_the_corpus_gives_the_exact_ranks(corpus, make_set, as_named, scrambler, written, metric):
    held, named = make_set(corpus), as_named(scrambler(3, 12), "one")
    found = observe(named, with_bank(held, written("Flat", everything(corpus), metric)), batch_size=8)
    expected = observe(named, with_bank(held, "all"), batch_size=8)
    for name, values in expected.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], values, err_msg=name)
    assert retrieval(found).everywhere.approximation is None


def test_frames_are_known_in_an_index_that_was_made_before_the_corpus_was_rounded(corpus, make_set, written):
    rounded = unit(everything(corpus)) + 1e-4
    bank = with_bank(make_set(corpus), written("Flat", unit(rounded))).asked_bank
    assert isinstance(bank, Bank)
    assert bank.of_judged
    windows = make_set(corpus).windows
    ((rank, _),) = bank.ranks([unit(windows.target_vectors())], windows)
    assert (rank[:20] == 1).all(), "the target in other digits is no rival of itself"


def test_an_approximate_index_that_misses_nothing_gives_the_exact_ranks(
    corpus, make_set, as_named, scrambler, written, monkeypatch
):
    monkeypatch.setattr(faiss_bank, "NEIGHBOURS", 300)
    held, named = make_set(corpus), as_named(scrambler(3, 12), "one")
    found = observe(named, with_bank(held, written("IVF6,Flat", everything(corpus), nprobe=6)), batch_size=8)
    expected = observe(named, with_bank(held, "all"), batch_size=8)
    np.testing.assert_array_equal(found.rank, expected.rank)
    np.testing.assert_array_equal(found.pool_size, expected.pool_size)
    approximation = retrieval(found).everywhere.approximation
    assert approximation.recall.value == 1
    assert approximation.mrr_excess.value == 0


@pytest.mark.parametrize(
    ("kind", "how", "said"),
    [
        ("IVF20,Flat", {"nprobe": 1}, "IVF (20 lists, 1 searched), inner product"),
        ("HNSW2", {"metric": faiss.METRIC_L2}, "HNSW (efSearch 16), Euclidean distance"),
    ],
)
def test_what_an_index_misses_is_said_beside_its_scores(
    corpus, make_set, as_named, scrambler, written, monkeypatch, kind, how, said
):
    monkeypatch.setattr(faiss_bank, "SAMPLE", 40)
    held, named = make_set(corpus), as_named(scrambler(3, 12), "one")
    evaluation = with_bank(held, written(kind, everything(corpus), **how))
    found = observe(named, evaluation, batch_size=8)
    exact = observe(named, with_bank(held, "all"), batch_size=8).rank[:, GLOBAL]
    sampled = np.isfinite(found.index_sample[:, 1])
    assert sampled.sum() == 40
    np.testing.assert_array_equal(found.index_sample[sampled, 1], exact[sampled])
    approximation = retrieval(found).everywhere.approximation
    assert 0 < approximation.recall.value < 0.9
    assert approximation.recall.n == 40
    gain = (1 / found.rank[sampled, GLOBAL] - 1 / exact[sampled]).mean()
    assert approximation.mrr_excess.value == pytest.approx(gain)
    inside = found.rank[:, GLOBAL] < found.pool_size[:, GLOBAL]
    assert (found.rank[inside, GLOBAL] <= exact[inside]).all(), "what is missed is ahead of nobody"
    assert f"{said}, 300 vectors" in evaluation.bank_name


def test_a_target_behind_all_neighbours_and_a_missing_prediction_have_the_worst_rank(
    corpus, make_set, written, monkeypatch
):
    monkeypatch.setattr(faiss_bank, "NEIGHBOURS", 10)
    held = make_set(corpus)
    bank = with_bank(held, written("HNSW8", everything(corpus))).asked_bank
    away = -unit(held.windows.target_vectors())
    away[3] = np.nan
    ((rank, size),) = bank.ranks([away], held.windows)
    assert (rank == size).all()
    assert (size[:20] > 280).all()
    (sample,) = bank.compared([away], held.windows)
    assert np.isnan(sample[3, 0])


@pytest.mark.parametrize(
    ("kind", "how", "said"),
    [
        ("Flat", {"metric": faiss.METRIC_L1}, "is of metric 2; ranks are by cosine"),
        ("SQ8", {}, "holds compressed vectors"),
        ("IDMap,Flat", {"ids": True}, r"wraps its vectors \(IDMap\)"),
        ("IVF4,Flat", {"ids": True}, "not numbered from 0"),
    ],
)
def test_an_index_that_ranks_nothing_by_cosine_is_refused(corpus, make_set, written, kind, how, said):
    with pytest.raises(UserError, match=said):
        with_bank(make_set(corpus), written(kind, everything(corpus), **how))


def test_other_dimensions_and_other_lengths_are_refused(corpus, make_set, written):
    with pytest.raises(UserError, match=r"5 dimensions where .* has 12"):
        with_bank(make_set(corpus), written("Flat", unit(np.ones((4, 5)))))
    long = everything(corpus)
    long[17] *= 1.1
    with pytest.raises(UserError, match="vector 17 is no unit vector"):
        with_bank(make_set(corpus), written("Flat", long))


def test_what_is_no_index_is_refused_before_faiss_sees_it(corpus, make_set, written, tmp_path, monkeypatch):
    name = written("Flat", everything(corpus))
    whole = (tmp_path / "some.index").read_bytes()
    monkeypatch.setattr(faiss, "read_index", lambda path: pytest.fail("read by FAISS"))
    for content, said in [
        (b"", "is no FAISS index"),
        (b"\x80\x04\x95" + bytes(80), "is no FAISS index"),
        (whole[:-4], "says 300 vectors of 12 dimensions"),
        (whole[:4] + bytes(60), "holds no vectors"),
    ]:
        (tmp_path / "some.index").write_bytes(content)
        with pytest.raises(UserError, match=said):
            with_bank(make_set(corpus), name)
    with pytest.raises(UserError, match="is not there"):
        with_bank(make_set(corpus), f"faiss:{tmp_path / 'none.index'}")


def test_an_index_cut_short_is_refused_in_a_sentence(corpus, make_set, written, tmp_path):
    name = written("HNSW8", everything(corpus))
    (tmp_path / "some.index").write_bytes((tmp_path / "some.index").read_bytes()[:-100])
    with pytest.raises(UserError, match="FAISS cannot read it"):
        with_bank(make_set(corpus), name)
