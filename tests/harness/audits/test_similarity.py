"""How alike chunks are, against means over the pairs that each metric names."""

import numpy as np
import pytest
from settled import LENGTHS, SPLITS, settle

from lvm_gates.harness.audits import coherence, lag_curve, positions, temporal_signal
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus_statistics import portray
from lvm_gates.harness.worlds.world import synthesise


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
        assert f"{split} {expected:+.3f}" in temporal_signal(inputs).detail


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
    assert found.detail.startswith("frame 0 to 2: VAL " if audited is positions else "lag 1 to 10: VAL ")


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
