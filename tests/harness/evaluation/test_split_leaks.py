"""Leaks of a session: where windows are looked for, what is left out, and what a card then says."""

import numpy as np
import pytest

from lvm_gates.harness.audits import leaked_windows
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve, training_windows
from lvm_gates.harness.evaluation.split_leaks import Leaks, cached_split_leaks, searched_pairs, split_leaks
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.verdict import make_card
from lvm_gates.harness.leaks.chunks import chunks_of
from lvm_gates.harness.predictors.predictor import Identity


def settle(corpus, max_samples=1000):
    return resolve(CorpusArguments(corpus=corpus.path), context=3, max_samples=max_samples, horizon=2, seed=0)


@pytest.fixture(scope="module")
def inputs(make_corpus):
    """Forty articles of thirty chunks: a run of VAL is in TRAIN, one of OOD in VAL, one of VAL twice in VAL."""
    splits = ["VAL"] * 12 + ["OOD"] * 12 + ["TRAIN"] * 16
    copies = {30 + i: 900 + i for i in range(5, 20)}  # article 1 of VAL: TRAIN
    copies |= {420 + i: 60 + i for i in range(4, 14)}  # article 14 of OOD: article 2 of VAL
    copies |= {150 + i: 120 + i for i in range(10)}  # article 5 of VAL: article 4 of VAL
    corpus = make_corpus([30] * 40, dim=48, splits=splits, copies=copies)
    return settle(corpus)


def targets(inputs, split, where):
    return set(inputs.evaluation[split].windows.targets[inputs.leaks.found[split, where]])


def test_each_split_is_searched_in_train_in_the_other_and_in_itself(inputs):
    assert targets(inputs, "VAL", "TRAIN") >= set(range(36, 50))
    assert targets(inputs, "OOD", "VAL") >= set(range(425, 434))
    assert targets(inputs, "VAL", "OOD") >= set(range(65, 74))
    assert targets(inputs, "VAL", "VAL") >= {*range(123, 130), *range(153, 160)}
    assert sum(mask.sum() for mask in inputs.leaks.found.values()) <= 14 + 9 + 9 + 14 + 8


def test_copies_in_train_and_in_the_other_split_are_left_out_and_copies_within_are_not(inputs):
    windows = inputs.evaluation["VAL"].windows
    left_out = set(windows.targets[inputs.leaks.left_out("VAL")])
    assert left_out >= {*range(36, 50), *range(65, 74)}
    assert not left_out & {*range(123, 130), *range(153, 160)}


def test_a_sample_of_the_windows_has_the_same_leaks(inputs):
    """All pairs of a split are searched for, so runs do not depend on which windows are judged."""
    few = settle(inputs.corpus, max_samples=60)
    for split, evaluation in few.evaluation.items():
        chosen = np.isin(inputs.evaluation[split].windows.targets, evaluation.windows.targets)
        np.testing.assert_array_equal(few.leaks.left_out(split), inputs.leaks.left_out(split)[chosen])


def test_what_was_found_is_read_back(inputs, tmp_path):
    inputs.leaks.save(tmp_path / "leaks.npz")
    found = Leaks.load(tmp_path / "leaks.npz")
    assert found.nulls == inputs.leaks.nulls
    assert found.found.keys() == inputs.leaks.found.keys()
    for key, mask in found.found.items():
        np.testing.assert_array_equal(mask, inputs.leaks.found[key])


def test_what_holds_a_pickle_is_not_read(tmp_path):
    np.savez(tmp_path / "leaks.npz", allow_pickle=True, **{"VAL TRAIN": np.array({"a": 1}, dtype=object)})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Leaks.load(tmp_path / "leaks.npz")


@pytest.mark.parametrize(("length", "whole"), [(5001, True), (5002, False)])
def test_all_pairs_are_searched_for_up_to_ten_thousand_and_then_those_of_the_windows(make_corpus, length, whole):
    """A pair is a chunk and the one after it in the same article; each window's is last frame and target."""
    corpus = make_corpus([length, 2, length - 1], dim=2)
    articles = corpus.articles("VAL")
    windows = windows_of(corpus, articles, 3).take(np.array([0, 1, 7, 5000]))
    pairs, mine = searched_pairs(EvaluationSet("VAL", windows, articles, 0, 2), chunks_of(corpus, articles))
    assert len(pairs) == (10_000 if whole else 4)
    assert not set(pairs) & {length - 1, length + 1, 2 * length}
    np.testing.assert_array_equal(pairs[mine], windows.targets - 1)


def test_the_audit_fails_beyond_its_share_and_counts_below(inputs, make_corpus):
    found = leaked_windows(inputs)
    assert found.status == "pass"
    assert found.metrics["VAL in TRAIN"].value == pytest.approx(14 / 324, abs=3 / 324)
    assert found.metrics["VAL in TRAIN"].n == 324
    copies = {30 * article + i: 900 + 30 * article + i for article in range(3) for i in range(5, 20)}
    beyond = leaked_windows(
        settle(make_corpus([30] * 40, dim=48, splits=["VAL"] * 12 + ["OOD"] * 12 + ["TRAIN"] * 16, copies=copies))
    )
    assert beyond.status == "fail"
    assert "of 324 VAL in TRAIN, more than 10%" in beyond.detail


# what a card says


def test_metrics_are_those_of_the_windows_that_are_left(make_observations):
    """Sixty windows, twenty of them recited with cosine 1, the others predicted with .2."""
    leaked = np.arange(60) < 20
    columns = {
        "cosine": np.where(leaked, 1.0, 0.2),
        "offset": np.where(leaked[:, None], [[0, 0, 0, 0, 1.0, 0, 0]], [[0, 0, 0, 0.1, 0.2, 0, 0]]),
        "rank": np.where(leaked[:, None], 1.0, [[4.0, 5.0, 10.0]]),
        "clusters": np.arange(60) // 5,
    }
    observed = dict.fromkeys(("VAL", "OOD"), make_observations(**columns))
    left_out = {"VAL": leaked, "OOD": np.zeros(60, dtype=bool)}
    card = make_card(
        Identity("m"), observed, load_profile("5cat"), "strict", skill_inputs=None, task="frontier", left_out=left_out
    ).record()
    assert card["gates"]["A"]["VAL"]["c"]["1"].value == pytest.approx(0.2)
    assert card["gates"]["A"]["VAL"]["c"]["1"].n == 40
    assert card["gates"]["A"]["OOD"]["c"]["1"].n == 60
    shown = card["leaks"]["VAL"]
    assert (shown["windows"], shown["leaked"]) == (60, 20)
    assert shown["share"].value == pytest.approx(1 / 3)
    assert shown["figures"]["c(+1)"]["with"].value == pytest.approx((20 + 40 * 0.2) / 60)
    assert shown["figures"]["c(+1)"]["without"].value == pytest.approx(0.2)
    assert shown["figures"]["MRR"]["with"].value == pytest.approx((20 + 40 / 4) / 60)
    assert shown["figures"]["MRR novel"]["without"].value == pytest.approx(1 / 5)
    assert card["leaks"]["OOD"]["leaked"] == 0


def test_a_split_that_is_leaked_as_a_whole_is_inconclusive_and_no_crash(make_observations):
    observed = dict.fromkeys(("VAL", "OOD"), make_observations())
    left_out = dict.fromkeys(("VAL", "OOD"), np.ones(60, dtype=bool))
    card = make_card(
        Identity("m"), observed, load_profile("5cat"), "strict", skill_inputs=None, task="frontier", left_out=left_out
    )
    assert card.decision.verdict == "hold"
    assert not any(card.passed(gate) for gate in "ABCDE")


def test_leaks_are_kept_by_what_they_follow_from(inputs, monkeypatch, tmp_path):
    """Another session over the same windows does not search again; one over others, or other text, does."""
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    searched = []

    def watched(evaluation, training):
        searched.append(len(evaluation["VAL"].windows))
        return split_leaks(evaluation, training)

    monkeypatch.setattr("lvm_gates.harness.evaluation.split_leaks.split_leaks", watched)
    training = training_windows(inputs)
    first, again = (cached_split_leaks(inputs.evaluation, training) for _ in range(2))
    assert len(searched) == 1
    direct = split_leaks(inputs.evaluation, training)
    for found in (first, again):
        assert found.nulls == direct.nulls
        for place, mask in direct.found.items():
            np.testing.assert_array_equal(found.found[place], mask)
    few = settle(inputs.corpus, max_samples=60)
    cached_split_leaks(few.evaluation, training)
    cached_split_leaks(inputs.evaluation, ())
    assert len(searched) == 3


def test_other_text_in_the_same_places_is_searched_anew(inputs, make_corpus, monkeypatch, tmp_path):
    """Training text, or judged text, of which nothing but the content differs."""
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    lengths, split = [12, 12], ["TRAIN", "VAL"]
    judged, training = (make_corpus(lengths, dim=48, splits=split, seed=seed) for seed in (1, 2))
    other = make_corpus(lengths, dim=48, splits=split, seed=3)

    def keep(of, trained):
        evaluation = EvaluationSet("VAL", windows_of(of, np.array([1]), 3), np.array([1]), 0, 2)
        return cached_split_leaks({"VAL": evaluation}, [windows_of(trained, np.array([0]), 3)])

    kept = []
    monkeypatch.setattr(
        "lvm_gates.harness.evaluation.split_leaks.split_leaks",
        lambda *given: kept.append(given) or split_leaks(*given),
    )
    for of, trained in ((judged, training), (judged, other), (other, training), (judged, training)):
        keep(of, trained)
    assert len(kept) == 3
