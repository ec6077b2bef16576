"""A judged card becomes a pass, a failure with its metrics, or a failure that the rule tolerates."""

from types import SimpleNamespace

import pytest

from lvm_gates.gates.judging import require
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.judging.judge import Check


def check(split, passed):
    metric = Estimate(0.4, 0.3, 0.5, 100, 20)
    return Check(
        gate="D",
        split=split,
        label="rollout",
        metric=metric,
        relation=">=",
        limit=0.45,
        passed=passed,
        note="",
        source="a source",
    )


def card(val=True, ood=True, tolerated=(), faults=()):
    return SimpleNamespace(
        faults=faults,
        checks={"D": [check("VAL", val), check("OOD", ood)]},
        identity=SimpleNamespace(name="m\x1b[31m"),
        decision=SimpleNamespace(tolerated=tolerated),
    )


@pytest.mark.parametrize("split", ["VAL", "OOD", None])
def test_a_gate_whose_checks_passed_is_silent(split):
    require(card(), "D", split, "look")


@pytest.mark.parametrize(("val", "ood", "split", "fails"), [
    (True, False, "VAL", False), (True, False, "OOD", True), (False, True, "VAL", True), (True, False, None, True),
])  # fmt: skip
def test_a_split_is_judged_by_its_own_checks_and_none_by_all(val, ood, split, fails):
    if not fails:
        require(card(val, ood), "D", split, "look")
        return
    with pytest.raises(pytest.fail.Exception) as told:
        require(card(val, ood), "D", split, "look there")
    assert "rollout on " + ("OOD" if val else "VAL") in told.value.msg
    assert told.value.msg.count("rollout on") == 1
    assert "Next: look there" in told.value.msg
    assert "\x1b" not in told.value.msg
    assert not told.value.pytrace, "the metrics, and no traceback of ours"


def test_a_gate_without_a_check_does_not_pass():
    with pytest.raises(AssertionError, match="a gate that checks nothing must not pass"):
        require(card(), "D", "TRAIN", "look")


def test_what_the_rule_tolerates_is_an_expected_failure_and_only_that_gate():
    with pytest.raises(pytest.xfail.Exception, match="tolerated by the release rule: rollout on VAL"):
        require(card(val=False, tolerated=("D",)), "D", None, "look")
    with pytest.raises(pytest.fail.Exception):
        require(card(val=False, tolerated=("A",)), "D", None, "look")


def test_a_model_that_broke_fails_every_gate():
    with pytest.raises(pytest.fail.Exception, match="the model broke") as told:
        require(card(faults=("it hung",)), "D", "VAL", "look")
    assert "it hung" in told.value.msg
