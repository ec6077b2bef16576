"""What follows from an outcome, and that it survives its file."""

import pytest
from msgspec.structs import astuple

from lvm_gates.harness.audits import Audit
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
