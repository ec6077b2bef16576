"""Corpus folders: what is written is what is read, what is broken is named, what is big stays on disk."""

import json
import time
import tracemalloc

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus, check_vectors, open_corpus


def test_a_corpus_survives_the_round_trip(make_corpus, tmp_path):
    corpus = make_corpus(
        [3, 1, 4],
        dim=6,
        splits=["TRAIN", "VAL", "OOD"],
        jumps={5: 3},
        article_ids=np.array([9, 4, 7]),
        meta={"kind": "test", "encoder": "none"},
        folder=tmp_path / "c",
    )
    again = open_corpus(tmp_path / "c")
    for one in (corpus, again):
        assert (one.size, one.dim) == (8, 6)
        assert one.article_ids.tolist() == [9, 4, 7]
        assert one.starts.tolist() == [0, 3, 4]
        assert one.lengths.tolist() == [3, 1, 4]
        assert one.chunk_index.tolist() == [0, 1, 2, 0, 0, 3, 4, 5]
        assert one.splits.tolist() == ["TRAIN", "VAL", "OOD"]
        assert one.article_of.tolist() == [0, 0, 0, 1, 2, 2, 2, 2]
        assert one.run_start.tolist() == [0, 0, 0, 3, 4, 5, 5, 5]
        assert one.run_end.tolist() == [3, 3, 3, 4, 5, 8, 8, 8]
        assert one.meta["encoder"] == "none"
        assert not one.synthetic
        assert one.rows_of(np.array([2, 0])).tolist() == [4, 5, 6, 7, 0, 1, 2]
        assert one.articles("OOD").tolist() == [2]
        assert one.describe_row(5) == "chunk 3 of article 7"
    expected = unit_rows(6, 8)
    np.testing.assert_array_equal(again.raw(np.arange(8)), expected)
    np.testing.assert_allclose(again.vectors(np.array([[7, 0]])), expected[[[7, 0]]], atol=1e-7)


def unit_rows(dim, n, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_half_precision_is_restored_to_unit_norm(make_corpus):
    corpus = make_corpus([40], dim=16, dtype="float16")
    assert corpus.stored.dtype == np.float16
    raw = np.linalg.norm(corpus.raw(np.arange(40)).astype(np.float64), axis=1)
    assert np.abs(raw - 1).max() > 1e-5
    vectors = corpus.vectors(np.arange(40))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


def test_the_fingerprint_belongs_to_the_content_not_to_the_place(make_corpus, tmp_path):
    base = {"dim": 5, "jumps": {3: 2}}
    original = make_corpus([4, 5], **base).fingerprint
    assert make_corpus([4, 5], **base, folder=tmp_path / "elsewhere").fingerprint == original
    assert make_corpus([4, 5], **base, splits="OOD").fingerprint == original
    vectors = unit_rows(5, 9)
    assert make_corpus([4, 5], vectors=vectors, jumps={3: 2}).fingerprint == original
    vectors[8, 4] = np.nextafter(vectors[8, 4], np.float32(2))
    changed = [
        make_corpus([4, 5], vectors=vectors, jumps={3: 2}),
        make_corpus([5, 4], dim=5, jumps={3: 2}),
        make_corpus([4, 5], dim=5),
        make_corpus([4, 5], **base, article_ids=np.array([0, 2])),
        make_corpus([4, 5], **base, copies={0: 1}),
    ]
    prints = {c.fingerprint for c in changed}
    assert original not in prints
    assert len(prints) == len(changed)


def test_the_recorded_fingerprint_equals_one_computed_anew(make_corpus):
    corpus = make_corpus([6, 3], dim=4, dtype="float16")
    meta = {k: v for k, v in corpus.meta.items() if k != "fingerprint"}
    bare = Corpus(corpus.path, corpus.stored, corpus.article_ids, corpus.starts, corpus.lengths, corpus.chunk_index,
                  corpus.splits, None, meta)  # fmt: skip
    assert bare.fingerprint == corpus.meta["fingerprint"] == corpus.fingerprint


def test_a_fingerprint_follows_reading_order_not_storage_order(make_corpus):
    corpus = make_corpus([6], dim=4, meta={"fingerprint": None})
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = np.empty_like(corpus.stored)
    shuffled[order] = corpus.stored
    moved = Corpus(corpus.path, shuffled, corpus.article_ids, corpus.starts, corpus.lengths, corpus.chunk_index,
                   corpus.splits, order, {})  # fmt: skip
    assert moved.fingerprint == corpus.fingerprint
    np.testing.assert_array_equal(moved.raw(np.arange(6)), corpus.stored)


def broken(folder, how):
    if how == "no folder":
        return folder / "absent"
    if how.startswith("truncated"):
        file = folder / how.removeprefix("truncated ")
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif how.startswith("no "):
        (folder / how.removeprefix("no ")).unlink()
    elif how == "another version":
        record = json.loads((folder / "corpus.json").read_text())
        (folder / "corpus.json").write_text(json.dumps(record | {"format_version": 99}))
    elif how == "not json":
        (folder / "corpus.json").write_text("{")
    elif how == "json but no record":
        (folder / "corpus.json").write_text("[1]")
    elif how == "one row too few":
        np.save(folder / "vectors.npy", np.load(folder / "vectors.npy")[:-1])
    elif how == "flat vectors":
        np.save(folder / "vectors.npy", np.load(folder / "vectors.npy").ravel())
    elif how == "whole numbers":
        np.save(folder / "vectors.npy", np.load(folder / "vectors.npy").astype(np.int32))
    elif how == "objects":
        np.save(folder / "vectors.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    elif how.startswith("short "):
        arrays = dict(np.load(folder / "articles.npz"))
        name = how.removeprefix("short ")
        np.savez(folder / "articles.npz", **(arrays | {name: arrays[name][:-1]}))
    elif how == "a missing member":
        arrays = dict(np.load(folder / "articles.npz"))
        del arrays["splits"]
        np.savez(folder / "articles.npz", **arrays)
    return folder


@pytest.mark.parametrize(
    "how",
    [
        "no folder", "no corpus.json", "no vectors.npy", "no articles.npz",
        "truncated corpus.json", "truncated vectors.npy", "truncated articles.npz",
        "another version", "not json", "json but no record", "one row too few", "flat vectors",
        "whole numbers", "objects",
        "short article_ids", "short splits", "short chunk_index", "short lengths", "a missing member",
    ],
)  # fmt: skip
def test_every_broken_folder_is_one_sentence_with_a_way_out(make_corpus, how):
    folder = make_corpus([5, 6], dim=4).path
    with pytest.raises(UserError, match=";") as raised:
        open_corpus(broken(folder, how))
    message = str(raised.value)
    assert str(folder) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("fault", "words"),
    [(np.nan, "holds NaN or infinity"), (np.inf, "holds NaN or infinity"), (0.0, "is a zero vector")],
)
def test_a_vector_without_direction_is_named_by_article_and_chunk(make_corpus, monkeypatch, fault, words):
    vectors = unit_rows(4, 30)
    vectors[17] = 0 if fault == 0 else vectors[17]
    vectors[17, 0] = fault
    corpus = make_corpus([12, 18], vectors=vectors, article_ids=np.array([3, 8]), jumps={15: 4})
    monkeypatch.setattr("lvm_gates.harness.corpus.corpus.SCAN_ROWS", 5)
    with pytest.raises(UserError, match=f"chunk 8 of article 8 {words}"):
        check_vectors(corpus, np.arange(30))
    check_vectors(corpus, np.delete(np.arange(30), 17))


def test_the_first_of_two_faults_is_the_one_named(make_corpus):
    vectors = unit_rows(4, 10)
    vectors[3], vectors[6, 1] = 0, np.nan
    with pytest.raises(UserError, match="chunk 3 of article 0 is a zero vector"):
        check_vectors(make_corpus([10], vectors=vectors), np.arange(10))


def test_splits_are_assigned_by_id_and_the_rest_stays_unassigned(make_corpus):
    corpus = make_corpus([3, 3, 3, 3], dim=2, splits="TRAIN", article_ids=np.array([10, 20, 30, 40]))
    found = corpus.with_splits({"VAL": [30], "OOD": [10, 99]})
    assert found.splits.tolist() == ["OOD", "", "VAL", ""]
    assert corpus.splits.tolist() == ["TRAIN"] * 4
    with pytest.raises(UserError, match="article 30 is in both VAL and OOD"):
        corpus.with_splits({"VAL": [30], "OOD": [10, 30]})
    with pytest.raises(UserError, match="no article of the OOD split is in the corpus, whose ids run from 10 to 40"):
        corpus.with_splits({"VAL": [30], "OOD": [99]})


def test_a_corpus_of_half_a_million_chunks_opens_at_once_and_stays_on_disk(tmp_path):
    chunks, dim, articles = 584_545, 768, 8_447
    np.lib.format.open_memmap(tmp_path / "vectors.npy", mode="w+", dtype=np.float16, shape=(chunks, dim))
    lengths = np.full(articles, chunks // articles)
    lengths[0] += chunks - lengths.sum()
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    np.savez(
        tmp_path / "articles.npz",
        article_ids=np.arange(articles),
        lengths=lengths,
        chunk_index=np.arange(chunks) - np.repeat(starts, lengths),
        splits=np.full(articles, "VAL", dtype="<U5"),
    )
    (tmp_path / "corpus.json").write_text(json.dumps({"format_version": 1, "fingerprint": "recorded"}))
    tracemalloc.start()
    begun = time.perf_counter()
    corpus = open_corpus(tmp_path)
    some = corpus.vectors(np.array([0, chunks - 1]))
    runs = corpus.run_start[-1], corpus.run_end[0]
    took = time.perf_counter() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(corpus.stored, np.memmap)
    assert (corpus.size, corpus.dim, some.shape) == (chunks, dim, (2, dim))
    assert runs == (starts[-1], lengths[0])
    assert corpus.fingerprint == "recorded"
    assert peak < 64 << 20
    assert took < 5
