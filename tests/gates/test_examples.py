"""Whatever a stranger adds is one file: the examples, each as its own text says it is used."""

import json

import pytest

EXAMPLES = {
    "model": "examples.custom_predictor:make",
    "gate": "examples.custom_gate:TAIL",
    "control": "examples.custom_control:BLURRED",
    "audit": "examples.custom_audit:article_lengths",
}


@pytest.fixture(scope="module")
def session(run_gates, arrow, tmp_path_factory):
    """All of them in one session, beside the oracle."""
    folder = tmp_path_factory.mktemp("report")
    options = [f"--{kind}=python:{name}" for kind, name in EXAMPLES.items()]
    done = run_gates("--model=control:oracle", *options, f"--corpus={arrow}", f"--report={folder}", "-vv")
    assert done.returncode == 1, done.stdout + done.stderr  # the predictor is a mean, and is refused
    return done.stdout, json.loads((folder / "scorecard.json").read_text())


def test_a_predictor_is_judged(session):
    oracle, mean = session[1]["models"]
    assert (oracle["name"], oracle["verdict"]) == ("control:oracle", "release")
    assert (mean["name"], mean["verdict"]) == ("python:examples.custom_predictor:make", "blocked")


def test_a_gate_decides_and_is_proven_on_controls(session):
    said, card = session
    oracle, mean = (model["added_gates"]["tail"] for model in card["models"])
    assert oracle["passed"]
    assert "6 of 6 gates passed" in card["models"][0]["reasons"][0]
    assert not mean["passed"]
    assert mean["checks"][0]["limit"] == 0.3
    random = next(control for control in card["controls"] if control["name"] == "control:random")
    assert not random["added_gates"]["tail"]["passed"]
    asked = {gate["name"]: gate["question"] for gate in card["gates"]}
    assert asked["tail"] == "Is the model still near the target where it is at its worst?"
    assert "tail: worst fifth" in said or "\ntail " in said, "it has rows in the table of gates"
    assert "test_added_gate[VAL-control:oracle-tail]" in said or "test_added_gate[control:oracle-VAL-tail]" in said


def test_a_control_is_run_and_held_to_what_it_declares(session):
    said, card = session
    blurred = next(control for control in card["controls"] if control["name"] == "control:blurred-oracle")
    assert blurred["misbehaved"] == []
    assert blurred["gates"]["A"]["VAL"]["c"]["1"]["value"] == pytest.approx(1 / (1 + 0.25**2) ** 0.5, abs=0.01)
    assert "test_control_behaves[blurred-oracle] PASSED" in said


def test_an_audit_is_made_and_shown(session):
    said, card = session
    found = card["audits"][-1]
    assert (found["name"], found["status"]) == ("article lengths", "pass")
    assert "test_audit[article lengths] PASSED" in said
