"""A table named as a corpus: converted once, judged on by ids of any kind; a changed file is converted anew."""

import os
from pathlib import Path

import made
import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.article_lists import listed_articles
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.corpus.tables import converted
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "cache"))


def judged(path, **more):
    return resolve(CorpusArguments(corpus=path, **more), context=3, max_samples=100, horizon=2, seed=0)


def test_a_table_is_judged_on_by_its_own_ids(tmp_path):
    path = made.parquet(tmp_path / "v.parquet", made.columns())
    (tmp_path / "ood.txt").write_text("Physics/4\n\nPhysics/5 \nelsewhere\n")
    inputs = judged(path, val_articles="Physics/1, Physics/0", ood_articles=f"@{tmp_path / 'ood.txt'}")
    assert inputs.corpus.path == path
    assert [inputs.corpus.splits.tolist().count(s) for s in ("VAL", "OOD", "TRAIN")] == [2, 2, 8]
    assert inputs.evaluation["VAL"].articles.tolist() == [0, 1]
    np.testing.assert_array_equal(inputs.corpus.raw(np.arange(made.N)), made.VECTORS)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, r"no VAL articles; name both splits with --val-articles .*ids are such as Physics/0, Physics/1"),
        ({"val_articles": "0-3", "ood_articles": "Physics/1"}, r"--val-articles=0-3: .* has no article '0-3'.*@FILE"),
        ({"val_articles": "Physics/1", "ood_articles": "Physics/1"}, "article Physics/1 is in both VAL and OOD"),
        ({"val_articles": "Physics/1", "ood_articles": "@nowhere"}, "--ood-articles=@nowhere: cannot be read"),
    ],
)
def test_ids_that_do_not_fit_are_one_sentence(tmp_path, more, said):
    with pytest.raises(UserError, match=said):
        judged(made.parquet(tmp_path / "v.parquet", made.columns()), **more)


def test_numbers_may_stand_in_a_file_too(tmp_path):
    path = made.faiss_index(tmp_path / "v.faiss", ids=made.ARTICLE)
    (tmp_path / "ids").write_text("0-2\n7\n")
    assert listed_articles(open_any(path), f"@{tmp_path / 'ids'}", "--val-articles") == [0, 1, 2, 7]
    with pytest.raises(UserError, match="write ranges such as 0-29,40"):
        listed_articles(open_any(path), "Physics/1", "--val-articles")


def test_a_conversion_is_made_once_and_again_when_a_file_changes(tmp_path, monkeypatch):
    path = made.npy(tmp_path / "emb.npy")
    asked = []
    monkeypatch.setattr(converted, "open_table", lambda *a, f=converted.open_table: asked.append(1) or f(*a))
    first = open_any(path)
    assert open_any(path).fingerprint == first.fingerprint
    assert len(asked) == 1
    np.save(tmp_path / "emb_chunk_indices.npy", made.CHUNK + 1)
    os.utime(tmp_path / "emb_chunk_indices.npy", ns=(0, 0))
    assert open_any(path).chunk_index[0] == 1
    assert len(asked) == 2
    # Half a conversion is none.
    for folder in (tmp_path / "cache" / "tables").glob("*/vectors.npy"):
        folder.write_bytes(b"")
    assert open_any(path).chunk_index[0] == 1
    assert len(asked) == 3


def test_conversions_do_not_pile_up(tmp_path, monkeypatch):
    monkeypatch.setattr(converted, "_KEPT", 0)
    for i in range(3):
        open_any(made.parquet(tmp_path / f"{i}.parquet", made.columns()))
    assert len(list((tmp_path / "cache" / "tables").glob("*/corpus.json"))) == 1
    assert [f for f in (tmp_path / "cache" / "tables").iterdir() if f.name.startswith(".")] == []


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "file"))
    path = made.parquet(tmp_path / "v.parquet", made.columns())
    with pytest.raises(UserError, match=r"there is no place for its conversion.*set LVM_GATES_CACHE.*lvm-data import"):
        open_any(path)


def test_what_is_no_table_is_told_as_before(tmp_path):
    made.json_lines(tmp_path / "text.jsonl", [{"title": "t", "text": "x"}])
    with pytest.raises(UserError, match="`lvm-data embed "):
        open_any(tmp_path / "text.jsonl")
    with pytest.raises(UserError, match="no such corpus folder"):
        open_any(Path("nowhere.parquet"))
