"""Each audit fails on its fault, passes without it, and says "not checkable" where it cannot see."""

import dataclasses
import json

import numpy as np
import pytest
from msgspec.structs import astuple

from lvm_gates.harness.audits import (
    AUDITS,
    Audit,
    audit,
    coherence,
    contiguity,
    direction,
    disjoint_articles,
    duplicate_chunks,
    lag_curve,
    leaked_windows,
    positions,
    repeated_frames,
    temporal_signal,
    train_against_val,
    unit_norm,
)
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus_statistics import portray
from lvm_gates.harness.evaluation.session_data import CorpusArguments, resolve
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.session import GateRun, Settings
from lvm_gates.harness.worlds.world import synthesise

SPLITS = ["VAL", "VAL", "OOD", "OOD", "TRAIN", "TRAIN"]
LENGTHS = [12, 13, 14, 12, 11, 12]


def settle(corpus=None, context=3, **given):
    arguments = CorpusArguments(corpus=None if corpus is None else corpus.path, **given)
    return resolve(arguments, context=context, max_samples=1000, horizon=2, seed=0)


def status(inputs):
    return {a.name: a.status for a in audit(inputs)}


def test_a_sound_corpus_passes_every_audit(make_corpus):
    found = audit(settle(make_corpus([12] * 30, dim=8, splits=["VAL", "OOD", "TRAIN"] * 10)))
    assert [a.name for a in found] == list(AUDITS)
    assert {a.status for a in found} == {"pass"}


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


def test_the_leaky_world_fails_and_blocks_every_model(tmp_path, make_run):
    leaky = synthesise("leaky", tmp_path / "leaky", articles=40, dim=8)
    clean = synthesise("arrow", tmp_path / "arrow", articles=40, dim=8)
    assert disjoint_articles(settle(leaky, context=5)).status == "fail"
    assert disjoint_articles(settle(clean, context=5)).status == "pass"
    run = make_run(leaky)
    assert any("data audit disjoint articles: fail; 2 of VAL also in TRAIN" in r for r in run.outside_reasons)
    assert isinstance(run, GateRun)
    assert isinstance(run.settings, Settings)
    assert run.settings.profile == load_profile("5cat")


def articles_file(path, with_index=True, lengths=(12, 12, 12), scale=1.0, drop=()):
    n = sum(lengths)
    arrays = {
        "embeddings": (scale * unit(np.random.default_rng(0).standard_normal((n, 8)))).astype(np.float32),
        "article_ids": np.repeat(np.arange(len(lengths)), lengths),
        "chunk_indices": np.concatenate([np.arange(k) for k in lengths]),
    }
    kept = np.setdiff1d(np.arange(n), drop)
    arrays = {name: values[kept] for name, values in arrays.items()}
    if not with_index:
        del arrays["chunk_indices"]
    np.savez(path, **arrays)
    return {"articles_npz": path, "val_articles": "0", "ood_articles": "1"}


def test_contiguity_is_not_checkable_without_chunk_indices(tmp_path):
    without = contiguity(settle(**articles_file(tmp_path / "a.npz", with_index=False)))
    assert without.status == "not checkable"
    assert "no chunk indices" in without.detail
    assert contiguity(settle(**articles_file(tmp_path / "b.npz"))).status == "pass"


def test_gaps_are_counted_where_they_are(tmp_path):
    found = contiguity(settle(**articles_file(tmp_path / "a.npz", drop=[5, 6, 15, 30])))
    # Rows 5 and 6 are one gap of article 0, row 15 one of article 1, row 30 lies in training.
    assert found.detail == "2 gaps in 2 articles; no window spans one"
    assert contiguity(settle(**articles_file(tmp_path / "b.npz"))).detail == "0 gaps in 2 articles"


def test_a_number_that_repeats_or_goes_back_is_a_gap_too(make_corpus):
    found = contiguity(settle(make_corpus(LENGTHS, dim=8, splits=SPLITS, jumps={5: 0, 30: -2, 32: 3})))
    assert found.detail == "3 gaps in 4 articles; no window spans one"


def test_windows_that_are_no_run_fail_with_their_number(make_corpus):
    inputs = settle(make_corpus(LENGTHS, dim=8, splits=SPLITS))
    assert status(dataclasses.replace(inputs, mismatched={"VAL": 0, "OOD": 0}))["windows"] == "pass"
    spoiled = dataclasses.replace(inputs, mismatched={"VAL": 0, "OOD": 7})
    (found,) = [a for a in audit(spoiled) if a.name == "windows"]
    assert found.status == "fail"
    assert "7 of OOD" in found.detail
    assert "VAL" not in found.detail


def test_vectors_that_are_not_of_unit_norm_are_said_to_be_normalised(tmp_path):
    stretched = unit_norm(settle(**articles_file(tmp_path / "a.npz", scale=3.0)))
    assert stretched.detail == "normalised on reading; norms are off by at most 2"
    assert unit_norm(settle(**articles_file(tmp_path / "b.npz"))).detail.startswith("stored at unit norm")


def test_coherence_and_random_pairs_are_means_over_the_pairs_they_name(make_corpus):
    corpus = make_corpus(LENGTHS, dim=4, splits=SPLITS, jumps={5: 2})
    found = coherence(settle(corpus)).metrics
    x = unit(corpus.vectors(np.arange(corpus.size)))
    pairs = [(i, i + 1) for i in range(24) if i + 1 != 5 and i + 1 != 12]
    assert found["adjacent VAL"].value == pytest.approx(np.mean([x[a] @ x[b] for a, b in pairs]), abs=1e-6)
    assert found["adjacent VAL"].n == len(pairs) == 22
    assert 0 < found["random pair VAL"].n <= 25


def test_random_pairs_come_from_different_articles(make_corpus):
    """Two articles of one constant each: adjacent cosine 1, random pair 0."""
    vectors = np.repeat(np.eye(6), LENGTHS, axis=0)
    found = coherence(settle(make_corpus(LENGTHS, vectors=vectors, splits=SPLITS))).metrics
    for split in ("VAL", "OOD"):
        assert found[f"adjacent {split}"].value == pytest.approx(1)
        assert found[f"random pair {split}"].value == pytest.approx(0)


def test_temporal_signal_is_last_minus_first_frame(make_corpus):
    corpus = make_corpus(LENGTHS, dim=5, splits=SPLITS)
    inputs = settle(corpus)
    x = unit(corpus.vectors(np.arange(corpus.size)))
    for split, found in temporal_signal(inputs).metrics.items():
        targets = inputs.evaluation[split].windows.targets
        expected = np.mean([x[t - 1] @ x[t] - x[t - 3] @ x[t] for t in targets])
        assert found.value == pytest.approx(expected, abs=1e-6)
        assert found.n == len(targets)


def test_a_corpus_changed_behind_its_record_fails(tmp_path):
    from lvm_gates.harness.worlds.world import synthesise

    corpus = synthesise("arrow", tmp_path / "c", articles=20, dim=8)
    inputs = resolve(CorpusArguments(corpus=corpus.path), context=5, max_samples=50, horizon=2, seed=0)
    assert AUDITS["fingerprint"](inputs).status == "pass"
    vectors = np.load(corpus.path / "vectors.npy")
    vectors[3] = -vectors[3]
    np.save(corpus.path / "vectors.npy", vectors)
    inputs = resolve(CorpusArguments(corpus=corpus.path), context=5, max_samples=50, horizon=2, seed=0)
    found = AUDITS["fingerprint"](inputs)
    assert found.status == "fail"
    assert "not what its corpus.json records" in found.detail


# what occurs twice


def test_repeated_frames_are_windows_with_two_equal_neighbours(make_corpus):
    corpus = make_corpus(LENGTHS, dim=8, splits=SPLITS, copies={7: 6, 21: 15})
    found = repeated_frames(settle(corpus, context=3))
    x, targets = corpus.raw(np.arange(corpus.size)), settle(corpus).evaluation["VAL"].windows.targets
    expected = [any((x[t - k] == x[t - k - 1]).all() for k in range(3)) for t in targets]
    assert found.metrics["VAL"].value == pytest.approx(np.mean(expected))
    assert sum(expected) == 3  # rows 6 and 7 lie side by side in three windows; rows 15 and 21 in none
    assert "3 of 19 VAL, 0 of 20 OOD" in found.detail
    assert found.status == "fail"  # 16 % of the windows of VAL
    clean = repeated_frames(settle(make_corpus(LENGTHS, dim=8, splits=SPLITS)))
    assert clean.status == "pass"
    assert clean.metrics["VAL"].value == 0


def test_a_few_repeated_frames_are_told_and_pass(make_corpus):
    found = repeated_frames(settle(make_corpus([40] * 6, dim=8, splits=SPLITS, copies={7: 6})))
    assert found.status == "pass"
    assert "3 of 74 VAL" in found.detail


@pytest.mark.parametrize(("copies", "status"), [({7: 6}, "pass"), ({7: 6, 12: 11}, "fail")])
def test_repeats_in_exactly_a_tenth_of_the_windows_pass(make_corpus, copies, status):
    found = repeated_frames(settle(make_corpus([18, 18, 18], dim=8, splits=["VAL", "VAL", "OOD"], copies=copies)))
    assert found.metrics["VAL"].value == 0.1 * len(copies)
    assert found.status == status


def test_duplicate_chunks_within_a_split_are_counted_once_a_chunk(make_corpus):
    corpus = make_corpus(LENGTHS, dim=8, splits=SPLITS, copies={3: 20, 9: 20, 30: 2})
    found = duplicate_chunks(settle(corpus)).metrics
    assert found["within VAL"].value == pytest.approx(3 / 25)  # 3, 9 and 20 are one chunk; 2 is repeated in OOD only
    assert found["within VAL"].n == 25
    assert found["within OOD"].value == 0
    assert np.isnan([metric.low for metric in found.values()]).all()  # of two articles each


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


# what cannot be looked at


DESCRIBING = {
    "duplicate chunks",
    "coherence",
    "position to target",
    "temporal signal",
    "lag curve",
    "train against val",
    "arrow of time",
}


def test_audits_without_a_threshold_are_not_required(make_corpus):
    for lengths in (LENGTHS, [12, 0, 13, 0, 11, 0]):  # measured, and with one article a split
        kept = [i for i, length in enumerate(lengths) if length]
        corpus = make_corpus([lengths[i] for i in kept], dim=8, splits=[SPLITS[i] for i in kept])
        assert {a.name for a in audit(settle(corpus)) if not a.required} == DESCRIBING


@pytest.mark.parametrize(
    ("status", "required", "blocks"),
    [
        ("pass", True, False),
        ("pass", False, False),
        ("fail", True, True),
        ("fail", False, True),
        ("not checkable", True, True),
        ("not checkable", False, False),
    ],
)
def test_what_blocks(status, required, blocks):
    assert Audit("x", status, "", {}, required).blocks == blocks


def test_a_session_without_training_is_not_blocked_by_what_describes(make_corpus, make_run):
    """Controls are cross-fitted there; the comparison with training is named as missing and stands in nobody's way."""
    run = make_run(make_corpus([30] * 10, dim=8, splits=["VAL"] * 5 + ["OOD"] * 5))
    assert {a.name for a in run.audits if a.status != "pass"} == {"train against val", "leaked windows"}
    assert not [reason for reason in run.outside_reasons if "audit" in reason]
    (found,) = [a for a in run.audits if a.name == "train against val"]
    assert (found.status, found.required) == ("not checkable", False)
    assert "blocks nothing" in found.detail


def test_a_required_audit_that_cannot_look_blocks(tmp_path, make_run):
    """An NPZ without chunk indices: the original audit printed zero errors for it."""
    given = articles_file(tmp_path / "a.npz", with_index=False, lengths=(30,) * 6)
    spans = {"val_articles": "0-1", "ood_articles": "2-3"}
    inputs = settle(**given | spans, context=5)
    run = GateRun(Settings((), load_profile("5cat"), "frontier", "strict", 0, 256), inputs, [], tmp_path)
    assert any("data audit contiguity: not checkable" in reason for reason in run.outside_reasons)


def test_metrics_without_a_value_are_named_and_no_pass(make_corpus):
    """One article a split has no pairs of strangers; ten chunks have none ten apart; both have neighbours."""
    inputs = settle(make_corpus([10, 10], dim=8, splits=["VAL", "OOD"]))
    for found, absent, there in (
        (coherence(inputs), "random pair VAL, random pair OOD", "adjacent VAL"),
        (lag_curve(inputs), "lag 10 VAL, lag 10 OOD", "lag 1 VAL"),
    ):
        assert found.status == "not checkable"
        assert f"nothing to measure {absent} on" in found.detail
        assert "nan" not in found.detail
        assert np.isfinite(found.metrics[there].value)
    assert positions(inputs).status == temporal_signal(inputs).status == "pass"


def test_one_article_cannot_be_told_from_training(make_corpus):
    """Without an interval, "no metric differs" would be said of any two corpora."""
    corpus = make_corpus([15] * 8, dim=8, splits=["VAL", "OOD", *["TRAIN"] * 6])
    found = train_against_val(settle(corpus))
    assert found.status == "not checkable"
    assert "too few articles for an interval of lag 1, " in found.detail
    assert "0 of 0 metrics differ" in found.detail


def test_a_folder_without_a_fingerprint_is_not_checkable(make_corpus, tmp_path):
    corpus = make_corpus(LENGTHS, dim=8, splits=SPLITS, folder=tmp_path / "corpus")
    record = json.loads((corpus.path / "corpus.json").read_text())
    del record["fingerprint"]
    (corpus.path / "corpus.json").write_text(json.dumps(record))
    found = AUDITS["fingerprint"](settle(corpus))
    assert found.status == "not checkable"
    assert found.blocks
    assert AUDITS["fingerprint"](settle(**articles_file(tmp_path / "a.npz"))).status == "pass"


@pytest.mark.parametrize("required", [True, False])
def test_an_outcome_is_read_back_bit_for_bit(tmp_path, required):
    metrics = {"a b": Estimate(1 / 3, float("nan"), float("inf"), 2**40), "…": Estimate(-0.0, 5e-324, 1e300, 0)}
    for given in (Audit("x y", "fail", "one; two …", metrics, required), Audit("", "pass", "", {}, required)):
        given.save(tmp_path / "audit.npz")
        found = Audit.load(tmp_path / "audit.npz")
        assert repr(found) == repr(given)  # NaN equals NaN there, and -0.0 is no 0.0
        assert {type(part) for metric in found.metrics.values() for part in astuple(metric)} <= {float, int}


# similarity


def test_positions_to_target_and_temporal_signal_agree(make_corpus):
    corpus = make_corpus(LENGTHS, dim=5, splits=SPLITS, jumps={30: 2})
    inputs = settle(corpus, context=4)
    x = unit(corpus.vectors(np.arange(corpus.size)))
    found = positions(inputs).metrics
    for split, evaluation in inputs.evaluation.items():
        for slot in range(4):
            expected = np.mean([x[t - 4 + slot] @ x[t] for t in evaluation.windows.targets])
            assert found[f"frame {slot} {split}"].value == pytest.approx(expected, abs=1e-6)
        signal = temporal_signal(inputs).metrics[split].value
        assert found[f"frame 3 {split}"].value - found[f"frame 0 {split}"].value == pytest.approx(signal)


@pytest.mark.parametrize("audited", [positions, lag_curve])
def test_a_curve_is_written_with_its_widest_interval(make_corpus, audited):
    found = audited(settle(make_corpus([15] * 36, dim=5, splits=["VAL", "OOD", "TRAIN"] * 12)))
    for split in ("VAL", "OOD"):
        curve = [metric for name, metric in found.metrics.items() if name.endswith(split)]
        halves = [metric.high - metric.value for metric in curve]
        assert min(halves) < max(halves) - 1e-3
        values = " ".join(f"{metric.value:.3f}" for metric in curve)
        assert f"{split} {values} (each ±{max(halves):.3f} at most)" in found.detail


def test_the_lag_curve_of_wiki_is_the_original_one(tmp_path):
    corpus = synthesise("wiki", tmp_path / "wiki")
    found = portray([(corpus, np.arange(len(corpus.starts)))], 5).metrics
    measured = [found[f"lag {lag}"].value for lag in range(1, 6)]
    np.testing.assert_allclose(measured, [0.457, 0.387, 0.365, 0.352, 0.340], atol=0.01)
    assert found["temporal signal"].value == pytest.approx(0.457 - 0.340, abs=0.01)
    assert all(0.001 < found[f"lag {lag}"].estimate.high - measured[lag - 1] < 0.01 for lag in range(1, 6))
    audited = lag_curve(settle(corpus, context=5)).metrics
    assert abs(audited["lag 1 VAL"].value - 0.457) < 0.03
    assert audited["lag 1 VAL"].low < 0.457 < audited["lag 1 VAL"].high


def test_val_of_the_same_law_is_like_training_and_val_of_another_is_not(make_corpus):
    """A direction that the chunks of VAL share makes neighbours alike, and all others too."""
    lengths, splits = [15] * 24, ["TRAIN"] * 10 + ["VAL"] * 10 + ["OOD"] * 4
    same = train_against_val(settle(make_corpus(lengths, dim=16, splits=splits)))
    assert same.metrics["lag 1"].low < 0 < same.metrics["lag 1"].high
    vectors = make_corpus(lengths, dim=16).raw(np.arange(360))
    vectors[150:300, 0] += 1  # the articles of VAL
    other = train_against_val(settle(make_corpus(lengths, vectors=vectors, splits=splits)))
    assert other.status == "pass"
    assert other.metrics["lag 1"].low > 0.2
    assert "lag 1 +" in other.detail


def test_the_arrow_of_time_informs_and_never_fails(arrow, make_corpus):
    found = direction(settle(arrow, context=5))
    assert found.status == "pass"
    assert found.metrics["AUC"].low > 0.9
    assert found.metrics["AUC shuffled"].low < 0.5 < found.metrics["AUC shuffled"].high
    assert "a lower bound" in found.detail
    few = direction(settle(make_corpus([12] * 9 + [2], dim=8, splits=["VAL", "OOD"] * 5)))
    assert few.status == "not checkable"
    assert not few.blocks
    assert "9 articles with windows, an interval needs 10" in few.detail
    assert np.isfinite(few.metrics["AUC"].value)
    assert direction(settle(make_corpus([12] * 10, dim=8, splits=["VAL", "OOD"] * 5))).status == "pass"
    inputs = settle(make_corpus([12, 12, 2], dim=8, splits=["VAL", "OOD", "OOD"]))
    one = dataclasses.replace(inputs.corpus, splits=np.array(["VAL", "", "OOD"]))  # OOD holds no window
    alone = direction(dataclasses.replace(inputs, corpus=one))
    assert alone.status == "not checkable"
    assert "0 articles with windows" in alone.detail


@pytest.mark.parametrize("world", ["arrow", "wiki", "reversed", "shuffled"])
def test_honest_worlds_pass_every_audit(tmp_path, world):
    corpus = synthesise(world, tmp_path / world, articles=60, dim=16)
    found = audit(settle(corpus, context=5))
    assert {one.name: one.status for one in found} == dict.fromkeys(AUDITS, "pass")
    for one in found:
        for metric in one.metrics.values():
            assert metric.n > 0
            assert metric.low <= metric.value <= metric.high
