"""The planted leaks of the table are where it says they are."""

import numpy as np
import pytest

from ci.leak_table import RUN, half_on, paraphrase, plant

JUDGED = [np.arange(100.0 * i, 100.0 * i + 60)[:, None] for i in range(20)]
ALTERED = [-article for article in JUDGED]


@pytest.mark.parametrize("share", [0.005, 0.1, 1.0])
def test_planted_chunks_are_altered_here_and_stand_in_training_as_they_were(share):
    held, copies, marks = plant(JUDGED, ALTERED, share, np.random.default_rng(0))
    planted = sum(int(mark.sum()) for mark in marks)
    assert planted == pytest.approx(share * 1200, abs=8)
    in_training = {float(x) for copy in copies for x in copy[:, 0]}
    for mine, mark, original in zip(held, marks, JUDGED, strict=True):
        np.testing.assert_array_equal(mine[mark], -original[mark])
        np.testing.assert_array_equal(mine[~mark], original[~mark])
        assert in_training >= set(original[mark, 0].tolist())
    if share < 1:
        assert max(map(len, copies)) <= RUN + 1


def test_text_is_changed_lightly_and_cut_between():
    text = "The first important change, however, was made after several people said that it must often be used again."
    changed = paraphrase(text, np.random.default_rng(1))
    assert changed != text
    kept = set(text.lower().replace(",", "").split()) & set(changed.lower().replace(",", "").split())
    assert len(kept) >= len(text.split()) / 2
    assert half_on(["a b c d", "e f", "g h"]) == ["c d e", "f g"]
