"""What follows from an outcome, and that it survives its file."""

import numpy as np
import pytest
from msgspec.structs import astuple

from lvm_gates.harness.audits import Audit
from lvm_gates.harness.audits.outcome import describing, listing, not_described
from lvm_gates.harness.base.estimate import Estimate


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


@pytest.mark.parametrize("required", [True, False])
def test_an_outcome_is_read_back_bit_for_bit(tmp_path, required):
    metrics = {"a b": Estimate(1 / 3, float("nan"), float("inf"), 2**40), "…": Estimate(-0.0, 5e-324, 1e300, 0)}
    for given in (Audit("x y", "fail", "one; two …", metrics, required), Audit("", "pass", "", {}, required)):
        given.save(tmp_path / "audit.npz")
        found = Audit.load(tmp_path / "audit.npz")
        assert repr(found) == repr(given)  # NaN equals NaN there, and -0.0 is no 0.0
        assert {type(part) for metric in found.metrics.values() for part in astuple(metric)} <= {float, int}


def test_an_outcome_with_a_pickle_in_it_is_not_read(tmp_path):
    np.savez(tmp_path / "audit.npz", allow_pickle=True, name=np.array({"a": 1}, dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Audit.load(tmp_path / "audit.npz")


def test_an_audit_is_required_unless_it_only_describes():
    assert Audit("x", "not checkable", "", {}).blocks
    known, unknown = Estimate(0.5, 0.4, 0.6, 90, 30), Estimate(float("nan"), float("nan"), float("nan"), 0)
    described = describing("x", "two things", {"a": known})
    assert (described.status, described.detail, described.required) == ("pass", "two things", False)
    partly = describing("x", "two things", {"a": known, "b": unknown})
    assert (partly.status, partly.required, partly.metrics) == ("not checkable", False, {"a": known, "b": unknown})
    assert partly.detail == "nothing to measure b on; two things; it only describes the corpus and blocks nothing"
    assert not_described("x", "why").metrics == {}


def test_metrics_are_listed_with_a_sign_only_where_one_is_asked_for():
    metrics = {"a": Estimate(0.5, 0.4, 0.6, 90, 30), "b": Estimate(-0.25, float("nan"), float("nan"), 9, 1)}
    assert listing(metrics) == "a 0.500 [0.400, 0.600]; b -0.250"
    assert listing(metrics, signed=True) == "a +0.500 [+0.400, +0.600]; b -0.250"
