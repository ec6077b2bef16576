"""Leaks judged: articles in two splits, by content and by most of their windows, and windows found elsewhere."""

import dataclasses

import numpy as np
import pytest
from settled import LENGTHS, SPLITS, settle

from lvm_gates.harness.audits import disjoint_articles, leaked_windows, train_against_val
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.split_leaks import Leaks
from lvm_gates.harness.leaks.null import Null


def test_an_article_in_train_and_val_is_found_by_content(make_corpus):
    vectors = unit(np.random.default_rng(0).standard_normal((sum(LENGTHS), 8)))
    starts = np.cumsum([0, *LENGTHS])
    vectors[starts[5] : starts[6]] = vectors[starts[0] : starts[1]]  # the same twelve chunks under another id
    found = disjoint_articles(settle(make_corpus(LENGTHS, vectors=vectors, splits=SPLITS)))
    assert found.status == "fail"
    assert found.detail.startswith("1 of VAL also in TRAIN (article 0, for one)")


@pytest.mark.parametrize(("one", "other", "words"), [(0, 3, "1 of OOD also in VAL"), (3, 5, "1 of OOD also in TRAIN")])
def test_the_other_pairs_of_splits_are_compared_too(make_corpus, one, other, words):
    vectors = unit(np.random.default_rng(0).standard_normal((sum(LENGTHS), 8)))
    starts = np.cumsum([0, *LENGTHS])
    vectors[starts[other] : starts[other + 1]] = vectors[starts[one] : starts[one] + LENGTHS[other]]
    found = disjoint_articles(settle(make_corpus(LENGTHS, vectors=vectors, splits=SPLITS)))
    assert found.status == "fail"
    assert words in found.detail


def test_a_copy_of_lower_precision_in_another_corpus_is_found(make_corpus):
    judged = make_corpus(LENGTHS, dim=8, splits=SPLITS)
    copy = make_corpus([12], vectors=judged.raw(np.arange(12)), splits="", dtype="float16")
    assert disjoint_articles(settle(judged, train_corpus=(copy.path,))).status == "fail"
    other = make_corpus([12], dim=8, seed=9, splits="", dtype="float16")
    assert disjoint_articles(settle(judged, train_corpus=(other.path,))).status == "pass"


def test_a_training_corpus_counts_by_its_training_split(make_corpus):
    """Named for training, the corpus lends its TRAIN articles only; its VAL articles leak nothing."""
    corpus = make_corpus(LENGTHS, dim=8, splits=SPLITS)
    found = disjoint_articles(settle(corpus, train_corpus=(corpus.path,)))
    assert found.status == "pass"
    assert "2 TRAIN" in found.detail


def test_an_article_that_is_mostly_in_training_is_the_same_article(make_corpus):
    """All but one of its chunks: no article is shared as a whole, and still the split leaks."""
    copies = {row: row - 51 for row in range(51, 51 + 10)}
    inputs = settle(make_corpus(LENGTHS, dim=16, splits=SPLITS, copies=copies))
    found = disjoint_articles(inputs)
    assert found.status == "fail"
    assert found.detail == "1 of 2 VAL have most of their windows in TRAIN (0, …)"


def test_a_few_documents_that_share_most_of_their_text_are_named_and_pass(make_corpus):
    """One in thirty, as in an archive of revised documents; its windows are left out."""
    lengths, splits = [12] * 64, ["VAL"] * 30 + ["OOD"] * 30 + ["TRAIN"] * 4
    corpus = make_corpus(lengths, dim=32, splits=splits, copies={720 + i: 12 + i for i in range(10)})
    inputs = settle(corpus)
    found = disjoint_articles(inputs)
    assert found.status == "pass"
    assert "1 of 30 VAL have most of their windows in TRAIN (1, …)" in found.detail
    windows = inputs.evaluation["VAL"].windows
    assert set(windows.targets[inputs.leaks.left_out("VAL")]) >= set(range(15, 22))
    assert inputs.leaks.found["VAL", "TRAIN"].sum() <= 7 + 2  # expected by chance: .3 of 270


def test_without_a_training_split_leaks_and_the_comparison_say_so(make_corpus):
    inputs = settle(make_corpus(LENGTHS[:4], dim=8, splits=SPLITS[:4]))
    leaked = leaked_windows(inputs)
    assert (leaked.status, leaked.required, leaked.blocks) == ("not checkable", False, False)
    assert "no training split is named" in leaked.detail
    assert set(leaked.metrics) == {"within VAL", "within OOD", "VAL in OOD", "OOD in VAL"}
    assert "no training split is named" in disjoint_articles(inputs).detail
    found = train_against_val(inputs)
    assert found.status == "not checkable"
    assert "no training split is named, nothing to compare" in found.detail
    assert not found.metrics


def found_as(inputs, **leaked):
    """The same data with these windows leaked; VAL_TRAIN is of VAL in TRAIN. None of the others is."""
    places = [(split, where) for split in ("VAL", "OOD") for where in ("TRAIN", "VAL", "OOD")]
    masks = {
        (split, where): np.isin(np.arange(len(inputs.evaluation[split].windows)), leaked.get(f"{split}_{where}", ()))
        for split, where in places
    }
    levels = dict(zip(places, (0.41, 0.1, 0.52, 0.63, 0.74, 0.9), strict=True))
    return dataclasses.replace(
        inputs, known_leaks=Leaks(masks, {place: Null(level, 0.3, 5) for place, level in levels.items()})
    )


@pytest.fixture(scope="module")
def of_ten_windows(make_corpus):
    """Twenty articles a judged split, each of thirteen chunks: ten windows of three frames."""
    return settle(make_corpus([13] * 44, splits=["VAL"] * 20 + ["OOD"] * 20 + ["TRAIN"] * 4))


@pytest.mark.parametrize("where", ["VAL_TRAIN", "OOD_VAL"])
def test_an_article_is_shared_if_more_than_half_of_its_windows_are_leaked(of_ten_windows, where):
    """Five of the ten windows of article 4, six of those of article 7."""
    split, _, other = where.partition("_")
    found = disjoint_articles(found_as(of_ten_windows, **{where: [*range(40, 45), *range(70, 76)]}))
    assert found.status == "pass"
    name = 7 if split == "VAL" else 27
    assert found.detail.endswith(f"1 of 20 {split} have most of their windows in {other} ({name}, …)")
    assert "(20 VAL, 20 OOD, 4 TRAIN)" in found.detail


def test_more_than_a_tenth_of_the_articles_shared_is_a_failure(of_ten_windows):
    two, three = ([*range(10 * n)] for n in (2, 3))
    assert disjoint_articles(found_as(of_ten_windows, VAL_OOD=two, OOD_TRAIN=two)).status == "pass"
    found = disjoint_articles(found_as(of_ten_windows, VAL_TRAIN=three, VAL_OOD=two))
    assert found.status == "fail"
    assert found.detail == (
        "3 of 20 VAL have most of their windows in TRAIN (0, …); 2 of 20 VAL have most of their windows in OOD (0, …)"
    )
    within = found_as(of_ten_windows, VAL_VAL=range(200))
    assert disjoint_articles(within).detail == "no article is in two splits (20 VAL, 20 OOD, 4 TRAIN)"


def test_more_than_a_tenth_of_the_windows_leaked_is_a_failure(of_ten_windows):
    tenth = found_as(of_ten_windows, VAL_TRAIN=range(20), OOD_VAL=range(100, 120), VAL_VAL=range(200))
    found = leaked_windows(tenth)
    assert found.status == "pass"
    shares = {"VAL in TRAIN": 0.1, "within VAL": 1.0, "OOD in VAL": 0.1}
    nothing = dict.fromkeys(("VAL in OOD", "OOD in TRAIN", "within OOD"), 0.0)
    assert {name: metric.value for name, metric in found.metrics.items()} == shares | nothing
    assert found.detail.endswith(" (pairs alike beyond 0.41 to 0.74, 0.001 of them by chance)")
    beyond = leaked_windows(found_as(of_ten_windows, VAL_TRAIN=range(21), OOD_VAL=range(22)))
    assert beyond.status == "fail"
    assert beyond.detail.startswith("21 of 200 VAL in TRAIN, 22 of 200 OOD in VAL, more than 10%; ")
