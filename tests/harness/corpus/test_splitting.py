"""Splits: exact shares, alike in coherence, by article, and what they share is found by content."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import content_fingerprint, open_corpus
from lvm_gates.harness.corpus.near_duplicates import NEAR
from lvm_gates.harness.corpus.opening import open_any
from lvm_gates.harness.corpus.splitting import (
    DIGEST,
    article_coherence,
    check_split_record,
    range_splits,
    rewrite_splits,
    shared_chunks,
    split_digest,
    stratified_splits,
)


def test_coherence_is_the_mean_over_adjacent_chunks_and_not_over_gaps(make_corpus, monkeypatch):
    monkeypatch.setattr("lvm_gates.harness.corpus.splitting.SCAN_ROWS", 3)
    corpus = make_corpus([5, 1, 6, 2], jumps={8: 2, 13: 4})
    vectors = corpus.vectors(np.arange(corpus.size)).astype(np.float64)
    found = article_coherence(corpus)
    for article, (start, length) in enumerate(zip(corpus.starts, corpus.lengths, strict=True)):
        cosines = [
            vectors[row] @ vectors[row - 1]
            for row in range(start + 1, start + length)
            if corpus.chunk_index[row] == corpus.chunk_index[row - 1] + 1
        ]
        if cosines:
            assert found[article] == pytest.approx(np.mean(cosines), abs=1e-6)
        else:
            assert np.isnan(found[article])
    assert np.isnan(found).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("articles", "val", "ood", "strata"),
    list(itertools.product([3, 10, 37, 100], [0.0, 0.1, 0.5], [0.0, 0.1, 0.33], [1, 10])),
)
def test_shares_are_exact(articles, val, ood, strata):
    coherence = np.random.default_rng(1).standard_normal(articles)
    wanted = [round(val * articles), round(ood * articles)]
    nothing = any(share > 0 and count == 0 for share, count in zip((val, ood), wanted, strict=True))
    if nothing or sum(wanted) >= articles:
        with pytest.raises(UserError, match="empty"):
            stratified_splits(coherence, val=val, ood=ood, seed=0, strata=strata)
        return
    splits = stratified_splits(coherence, val=val, ood=ood, seed=0, strata=strata)
    assert [(splits == name).sum() for name in ("VAL", "OOD", "TRAIN")] == [*wanted, articles - sum(wanted)]


@pytest.mark.parametrize("seed", range(5))
def test_every_stratum_gives_its_share_to_each_split(seed):
    coherence = np.random.default_rng(seed).permutation(200) / 200
    splits = stratified_splits(coherence, val=0.2, ood=0.1, seed=seed, strata=10)
    for low in range(10):
        stratum = splits[(coherence * 10).astype(int) == low]
        assert len(stratum) == 20
        assert abs((stratum == "VAL").sum() - 4) <= 1
        assert abs((stratum == "OOD").sum() - 2) <= 1


def test_strata_make_the_splits_more_alike_than_chance_does():
    spread = {}
    for strata in (1, 10):
        means = []
        for seed in range(40):
            coherence = np.random.default_rng(seed).standard_normal(100)
            splits = stratified_splits(coherence, val=0.1, ood=0.0, seed=seed, strata=strata)
            means.append(coherence[splits == "VAL"].mean() - coherence.mean())
        spread[strata] = np.std(means)
    assert spread[10] < 0.5 * spread[1]


def test_the_draw_is_seeded_and_random():
    coherence = np.full(50, np.nan)
    coherence[:30] = np.linspace(0, 1, 30)
    draws = [stratified_splits(coherence, val=0.2, ood=0.2, seed=seed, strata=5).tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    # Every article can be drawn.
    seen = np.zeros(50, dtype=bool)
    for seed in range(60):
        seen |= stratified_splits(coherence, val=0.2, ood=0.2, seed=seed, strata=5) == "VAL"
    assert seen.all()


def test_a_share_that_leaves_nothing_is_refused():
    for val, ood, words in (
        (0.01, 0.0, "leaves VAL empty"),
        (0.0, 0.04, "leaves OOD empty"),
        (0.5, 0.5, "TRAIN empty"),
    ):
        with pytest.raises(UserError, match=words):
            stratified_splits(np.arange(10.0), val=val, ood=ood, seed=0, strata=2)


def test_ranges_name_the_articles_and_the_excluded_are_in_no_split(make_corpus):
    corpus = make_corpus([2] * 10, article_ids=np.arange(10) * 10)
    splits = range_splits(corpus, val=list(range(15, 35)), ood=[0], exclude=[50, 60, 61])
    assert splits.tolist() == ["OOD", "TRAIN", "VAL", "VAL", "TRAIN", "", "", "TRAIN", "TRAIN", "TRAIN"]


@pytest.mark.parametrize(
    ("val", "ood", "exclude", "words"),
    [
        ([99], [1], [], "no article of the VAL split"),
        ([1], [1, 2], [], "in both VAL and OOD"),
        ([1], [2], [1], "article 1 is in both VAL and --exclude"),
        ([1], [2], [77], "--exclude names no article"),
        ([0, 1], [2], [3], "leave TRAIN empty"),
    ],
)
def test_ranges_that_cannot_be_are_one_sentence(make_corpus, val, ood, exclude, words):
    corpus = make_corpus([2] * 4)
    with pytest.raises(UserError, match=words) as raised:
        range_splits(corpus, val=val, ood=ood, exclude=exclude)
    assert str(corpus.path) in str(raised.value)


def test_rewriting_changes_the_splits_and_nothing_of_the_content(make_corpus):
    corpus = make_corpus([4, 5, 6], meta={"kind": "test", "encoder": "mine"}, article_ids=np.array([7, 8, 9]))
    before = corpus.fingerprint
    written = rewrite_splits(corpus, np.array(["VAL", "", "TRAIN"]), {"by": "hand"})
    assert written.splits.tolist() == ["VAL", "", "TRAIN"]
    assert written.fingerprint == content_fingerprint(written) == before
    assert written.meta["encoder"] == "mine"
    assert written.meta["split"] == {
        "by": "hand",
        "articles": {"TRAIN": 1, "VAL": 1, "OOD": 0},
        DIGEST: split_digest(corpus.article_ids, np.array(["VAL", "", "TRAIN"])),
    }
    assert sorted(file.name for file in corpus.path.iterdir()) == ["articles.npz", "corpus.json", "vectors.npy"]


def test_a_failure_while_rewriting_leaves_the_corpus_as_it_was(make_corpus, monkeypatch):
    corpus = make_corpus([4, 5], splits=["VAL", "TRAIN"])

    def full(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("lvm_gates.harness.corpus.splitting.np.savez", full)
    with pytest.raises(OSError, match="disk full"):
        rewrite_splits(corpus, np.array(["TRAIN", "VAL"]), {})
    again = open_corpus(corpus.path)
    assert again.splits.tolist() == ["VAL", "TRAIN"]
    assert "split" not in again.meta


class Killed(BaseException):
    """What no `except Exception` sees, as a kill."""


@pytest.mark.parametrize("was_split", [False, True])
@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_kill_between_the_files_is_noticed_and_the_same_work_repairs_it(make_corpus, monkeypatch, done, was_split):
    corpus = make_corpus([4, 5, 6], splits=["VAL", "OOD", "TRAIN"], meta={"kind": "test", "encoder": "mine"})
    if was_split:
        corpus = rewrite_splits(corpus, np.array(["OOD", "VAL", "TRAIN"]), {"by": "hand"})
    before, after = corpus.splits.tolist(), ["TRAIN", "VAL", "OOD"]
    replaced, replace = [], Path.replace

    def killed(self, target):
        if len(replaced) == done:
            raise Killed
        replaced.append(target)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        if done < 2:
            with pytest.raises(Killed):
                rewrite_splits(corpus, np.array(after), {"by": "order"})
        else:
            rewrite_splits(corpus, np.array(after), {"by": "order"})
    if done == 1:
        with pytest.raises(UserError, match=r"not those that corpus\.json records.*run it again") as raised:
            open_any(corpus.path)
        assert str(corpus.path) in str(raised.value)
    else:
        found = open_any(corpus.path)
        assert found.splits.tolist() == (after if done else before)
        assert found.meta.get("split", {}).get("by") == ("order" if done else "hand" if was_split else None)
    repaired = rewrite_splits(open_corpus(corpus.path), np.array(after), {"by": "order"})
    assert open_any(corpus.path).splits.tolist() == repaired.splits.tolist() == after
    assert repaired.meta["split"]["by"] == "order"
    assert repaired.meta["encoder"] == "mine"
    assert repaired.fingerprint == content_fingerprint(repaired)


def test_a_record_without_a_digest_says_nothing_of_the_splits(make_corpus):
    """`lvm-data embed` draws its splits once, with the corpus; older corpora have none."""
    for meta in ({"kind": "test", "split": {"by": "article, at random", "seed": 0}}, {"kind": "test", "split": "old"}):
        corpus = make_corpus([4, 5], splits=["VAL", "TRAIN"], meta=meta)
        assert check_split_record(corpus) is corpus


def test_the_digest_knows_which_article_is_where():
    ids, splits = np.array([3, 4, 5]), np.array(["VAL", "", "TRAIN"], dtype="<U5")
    digest = split_digest(ids, splits)
    assert digest == split_digest(ids.astype(np.int32), splits.astype("<U9"))
    for other_ids, other in ((ids + 1, splits), (ids, splits[[1, 0, 2]]), (ids, np.array(["VAL", "", "OOD"]))):
        assert split_digest(other_ids, other) != digest


@pytest.mark.parametrize("block", [4, 1000])
def test_shared_chunks_are_what_all_pairs_say(make_corpus, monkeypatch, block):
    monkeypatch.setattr("lvm_gates.harness.corpus.splitting.SCAN_ROWS", block)
    monkeypatch.setattr("lvm_gates.harness.corpus.near_duplicates.SCAN_ROWS", block)
    # Four dimensions: a good part of random pairs lies above the limit.
    corpus = make_corpus([6, 5, 7, 4], dim=4, splits=["TRAIN", "VAL", "TRAIN", "OOD"])
    found = shared_chunks(corpus)
    assert [(one.split, one.other) for one in found] == [("VAL", "TRAIN"), ("OOD", "TRAIN"), ("OOD", "VAL")]
    for one in found:
        rows, others = (corpus.vectors(corpus.rows_of(corpus.articles(name))) for name in (one.split, one.other))
        expected = [any(float(a @ b) > NEAR for b in others) for a in rows]
        assert one.near == sum(expected)
        assert one.share.value == pytest.approx(np.mean(expected))
        assert one.share.n == len(rows)
    assert found[0].near > 0


def test_a_planted_copy_is_found_and_named(make_corpus):
    corpus = make_corpus(
        [6, 6, 6], dim=64, splits=["TRAIN", "VAL", "OOD"], copies={8: 3}, article_ids=np.array([5, 6, 7])
    )
    found = {(one.split, one.other): one for one in shared_chunks(corpus)}
    assert found["VAL", "TRAIN"].near == 1
    assert found["VAL", "TRAIN"].example == "chunk 2 of article 6 and chunk 3 of article 5, cosine 1.000"
    assert found["OOD", "TRAIN"].near == found["OOD", "VAL"].near == 0
    assert found["OOD", "TRAIN"].example == ""
