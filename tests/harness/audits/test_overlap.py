"""What occurs twice: frames within a window, chunks within a split."""

import numpy as np
import pytest
from settled import LENGTHS, SPLITS, settle

from lvm_gates.harness.audits import duplicate_chunks, repeated_frames


def test_repeated_frames_are_windows_with_two_equal_neighbours(make_corpus):
    corpus = make_corpus(LENGTHS, dim=8, splits=SPLITS, copies={7: 6, 21: 15})
    found = repeated_frames(settle(corpus, context=3))
    x, targets = corpus.raw(np.arange(corpus.size)), settle(corpus).evaluation["VAL"].windows.targets
    expected = [any((x[t - k] == x[t - k - 1]).all() for k in range(3)) for t in targets]
    assert found.metrics["VAL"].value == pytest.approx(np.mean(expected))
    assert sum(expected) == 3  # rows 6 and 7 lie side by side in three windows; rows 15 and 21 in none
    assert "3 of 19 VAL, 0 of 20 OOD" in found.detail
    assert found.status == "fail"  # 16 % of the windows of VAL
    assert found.detail.endswith("; more than 10% makes copying the last frame right; drop the repeated chunks")
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
    twice = duplicate_chunks(settle(make_corpus(LENGTHS, dim=8, splits=SPLITS, copies={3: 20})))
    assert twice.metrics["within VAL"].value == pytest.approx(2 / 25)
