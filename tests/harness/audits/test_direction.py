"""The arrow of time informs, and never fails a corpus."""

import dataclasses

import numpy as np
from settled import settle

from lvm_gates.harness.audits import direction


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
