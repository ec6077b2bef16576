"""What counts as having run, and that a session releases nothing unless every model is released."""

from types import SimpleNamespace

import pytest

from lvm_gates.gates import plugin
from lvm_gates.gates.outcomes import Outcomes
from lvm_gates.gates.wire import gate_property

GATES = ("A", "E")


def report(when="call", outcome="passed", gate=("m", "A", "VAL"), **more):
    """What pytest reports of one phase of a gate test; ``gate`` is (model, gate, split)."""
    return SimpleNamespace(
        when=when,
        outcome=outcome,
        skipped=outcome == "skipped",
        failed=outcome == "failed",
        user_properties=[("other", 1), ("lvm_gate", gate_property(*gate))],
        **more,
    )


def after(*reports):
    outcomes = Outcomes()
    for one in reports:
        outcomes.pytest_runtest_logreport(one)
    return outcomes


def whole_session(leave_out=(), **instead):
    """Every gate test of one model, but for some, or with another outcome."""
    tests = [("m", "A", "VAL"), ("m", "A", "OOD"), ("m", "E", "")]
    return after(*(report(gate=t, outcome=instead.get(t[2] or "E", "passed")) for t in tests if t not in leave_out))


@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_a_gate_that_was_judged_has_run_whatever_it_said(outcome):
    assert whole_session(VAL=outcome, E=outcome).missing(["m"], GATES) == {}


@pytest.mark.parametrize("absent", [("m", "A", "VAL"), ("m", "A", "OOD")])
def test_a_gate_judged_on_one_split_has_not_run(absent):
    assert whole_session(leave_out=[absent]).missing(["m"], GATES) == {"m": ["A"]}


@pytest.mark.parametrize(("split", "gate"), [("VAL", "A"), ("OOD", "A"), ("E", "E")])
def test_a_skipped_gate_has_not_run(split, gate):
    assert whole_session(**{split: "skipped"}).missing(["m"], GATES) == {"m": [gate]}


def test_every_model_is_asked_for_every_gate():
    outcomes = whole_session()
    assert outcomes.missing(["m", "other"], GATES) == {"other": ["A", "E"]}
    assert outcomes.missing(["m"], (*GATES, "B")) == {"m": ["B"]}


def test_a_tolerated_gate_has_run_and_a_skip_without_that_reason_has_not():
    tolerated = after(report(outcome="skipped", wasxfail="by the rule", gate=("m", "E", "")))
    assert tolerated.by_gate == {("m", "E", ""): "tolerated"}
    assert tolerated.missing(["m"], ["E"]) == {}
    assert after(report(outcome="skipped", gate=("m", "E", ""))).missing(["m"], ["E"]) == {"m": ["E"]}
    # The attribute alone tells nothing: pytest sets it on what was expected to fail and passed, too.
    assert after(report(wasxfail="", gate=("m", "E", ""))).by_gate == {("m", "E", ""): "passed"}


def test_a_gate_that_could_not_be_set_up_breaks_the_session_and_one_that_failed_does_not():
    assert after(report(when="setup", outcome="failed")).broken
    assert not after(report(when="setup"), report(outcome="failed"), report(when="teardown")).broken
    assert after(report(when="setup", outcome="failed")).by_gate == {("m", "A", "VAL"): "failed"}


def test_skipped_at_set_up_is_neither_broken_nor_run():
    outcomes = after(report(when="setup", outcome="skipped", gate=("m", "E", "")))
    assert not outcomes.broken
    assert outcomes.missing(["m"], ["E"]) == {"m": ["E"]}


def test_what_breaks_after_the_gate_leaves_its_outcome():
    outcomes = after(report(outcome="passed"), report(when="teardown", outcome="failed"))
    assert outcomes.by_gate == {("m", "A", "VAL"): "passed"}
    assert outcomes.broken


def test_a_test_that_is_no_gate_counts_for_nothing():
    other = report(outcome="failed", when="setup")
    other.user_properties = [("other", ["m", "A", "VAL"])]
    assert after(other).by_gate == {}
    assert not after(other).broken


@pytest.mark.parametrize(
    ("verdicts", "missing", "status"),
    [
        (["release"], {}, pytest.ExitCode.OK),
        (["release", "release"], {}, pytest.ExitCode.OK),
        (["release", "blocked"], {}, pytest.ExitCode.TESTS_FAILED),
        (["hold", "release"], {}, pytest.ExitCode.TESTS_FAILED),
        (["release", "release"], {"m": ["A"]}, pytest.ExitCode.TESTS_FAILED),
    ],
)
def test_one_model_that_is_not_released_fails_the_session(monkeypatch, verdicts, missing, status):
    """Its own failing tests may have been deselected: the exit code goes by the scorecard."""
    monkeypatch.setattr(
        "lvm_gates.harness.results.scorecard.build_scorecard",
        lambda *_: SimpleNamespace(models=[SimpleNamespace(verdict=verdict) for verdict in verdicts]),
    )
    settings = SimpleNamespace(models=("m",), profile=SimpleNamespace(gates=GATES))
    stash = pytest.Stash()
    stash[plugin.RUN] = SimpleNamespace(settings=settings)
    stash[plugin.GIVEN] = []
    stash[plugin.OUTCOMES] = SimpleNamespace(missing=lambda *_: missing, broken=False)
    config = SimpleNamespace(
        stash=stash, getoption=lambda _: None, invocation_params=SimpleNamespace(args=(), dir=None), option=None
    )
    session = SimpleNamespace(config=config, exitstatus=pytest.ExitCode.OK)
    plugin._report(session)
    assert session.exitstatus == status
    assert config.stash[plugin.RELEASED] == (status == pytest.ExitCode.OK)
