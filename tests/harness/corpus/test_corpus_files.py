"""A corpus folder whose files are damaged, or contradict one another: refused in one sentence."""

import json

import numpy as np
import pytest

from ci.fuzzing.cases import with_field, zip_of
from ci.fuzzing.npz_files import npy
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import open_corpus


@pytest.fixture
def corpus(make_corpus):
    return make_corpus([5, 7, 4], dim=6).path


def refusal(folder):
    with pytest.raises(UserError) as caught:
        open_corpus(folder)
    said = str(caught.value)
    assert said.startswith(str(folder))
    assert said.isprintable()
    assert said.endswith(".")
    assert len(said) < 500
    return said


RECORDS = {
    "nested": ("[" * 100_000, "nested more than 64 levels deep"),
    "nested and closed": ("[" * 100 + "]" * 100, "nested more than 64 levels deep"),
    "a key twice": ('{"format_version": 1, "format_version": 1}', "key 'format_version' stands twice"),
    "NaN": ('{"format_version": NaN}', "NaN is no number of JSON"),
    "a number of 10,000 digits": ('{"format_version": ' + "9" * 10_000 + "}", "corpus.json: "),
    "no UTF-8": (b"\xff", "corpus.json: "),
    "a list": ("[1]", "corpus format None is not 1"),
    "a fingerprint that is a number": ('{"format_version": 1, "fingerprint": 5}', "the fingerprint in corpus.json is"),
    "another dim": ('{"format_version": 1, "dim": 7}', "records 7 as dim, and the files hold 6"),
    "chunks as text": ('{"format_version": 1, "chunks": "x"}', "records 'x' as chunks, and the files hold 16"),
}


@pytest.mark.parametrize("fault", RECORDS)
def test_a_record_that_is_no_record(corpus, fault):
    text, said = RECORDS[fault]
    (corpus / "corpus.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in refusal(corpus)


VECTORS = np.ones((16, 6), dtype=np.float32)
STORES = {
    "no axis": npy(np.float32(1)),
    "one axis": npy(VECTORS.ravel()),
    "whole numbers": npy(VECTORS.astype(int)),
    "a row less": npy(VECTORS[:-1]),
    "objects": npy(VECTORS.astype(object)),
    "past 2**64": npy(VECTORS, shape=f"({2**40}, {2**40})"),
    "an axis of 2**64": npy(VECTORS, shape=f"({2**64}, 6)"),
    "a negative axis": npy(VECTORS, shape="(-16, 6)"),
    "of four gigabytes": npy(VECTORS, length=2**32 - 1),
    "a string without end": npy(VECTORS, text="{'descr': '''<f4"),
    "truncated": npy(VECTORS)[:-3],
    "longer": npy(VECTORS) + b"abc",
    "empty": b"",
}


@pytest.mark.parametrize("fault", STORES)
def test_vectors_that_are_no_vectors(corpus, fault):
    (corpus / "vectors.npy").write_bytes(STORES[fault])
    refusal(corpus)


ARTICLES = {
    "negative lengths": ({"lengths": np.array([-5, 17, 4])}, "disagree on the number of chunks"),
    "an empty article": ({"lengths": np.array([0, 12, 4])}, "disagree on the number of chunks"),
    "lengths whose sum wraps": ({"lengths": np.array([2**63 - 1, 2**63 - 1, 18])}, "disagree on the number of chunks"),
    "lengths as floats": ({"lengths": np.array([5.0, 7.0, 4.0])}, "lengths of articles.npz is float64"),
    "one length": ({"lengths": np.int64(16)}, "lengths of articles.npz is int64 of shape ()"),
    "fewer splits": ({"splits": np.array(["VAL"])}, "3 article ids, 3 lengths and 1 splits"),
    "splits as numbers": ({"splits": np.arange(3)}, ""),
    "splits as bytes": ({"splits": np.array([b"VAL"] * 3)}, "splits of articles.npz is |S3"),
    "unknown splits": ({"splits": np.array(["TEST"] * 3)}, "split 'TEST' is none of TRAIN, VAL and OOD"),
    "ids twice": ({"article_ids": np.array([1, 1, 2])}, "two articles have one id"),
    "ids past 2**63": ({"article_ids": np.arange(3).astype(np.uint64) + np.uint64(2**63)}, "is uint64"),
    "chunks as floats": ({"chunk_index": np.arange(16) * 0.5}, "chunk_index of articles.npz is float64"),
    "chunks in two axes": ({"chunk_index": np.arange(16).reshape(4, 4)}, "of shape (4, 4)"),
    "objects": ({"lengths": np.array([5, 7, 4], dtype=object)}, "needs pickle"),
    "no splits": ({"splits": None}, "articles.npz has no splits"),
    "far too many": ({"lengths": np.zeros(100_000, dtype=int)}, "where no more than 4608 make sense"),
}


@pytest.mark.parametrize("fault", ARTICLES)
def test_articles_that_are_no_articles(corpus, fault):
    change, said = ARTICLES[fault]
    members = zipped(corpus, change)
    (corpus / "articles.npz").write_bytes(zip_of(members))
    assert said in refusal(corpus)


def zipped(corpus, change):
    with np.load(corpus / "articles.npz") as stored:
        arrays = dict(stored) | change
    return [(f"{name}.npy", npy(array)) for name, array in arrays.items() if array is not None]


def test_an_archive_that_is_encrypted_or_ambiguous(corpus):
    members = zipped(corpus, {})
    (corpus / "articles.npz").write_bytes(with_field(zip_of(members), 1, "flags", 1))
    assert "articles.npz: member 'lengths' cannot be read" in refusal(corpus)
    (corpus / "articles.npz").write_bytes(zip_of([*members, ("lengths.npy", npy(np.array([4, 7, 5])))]))
    assert "holds member 'lengths.npy' 2 times" in refusal(corpus)


def test_sources_of_any_type_do_not_stop_the_audit_of_norms(corpus):
    from lvm_gates.harness.audits.store import unit_norm
    from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve

    record = json.loads((corpus / "corpus.json").read_text())
    for sources in (7, [{"norms_off_by": "much"}], ["x"], {"a": 1}, None):
        (corpus / "corpus.json").write_text(json.dumps(record | {"sources": sources}))
        arguments = CorpusArguments(corpus=corpus, val_articles="0", ood_articles="1")
        audit = unit_norm(resolve(arguments, context=2, max_samples=9, horizon=1, seed=0))
        assert audit.status == "pass"
        assert "import" not in audit.detail
