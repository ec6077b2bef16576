"""One session of several models, good, bad and broken: judged, reported, nothing done twice, the same under `-n 2`."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.audits import AUDITS
from lvm_gates.harness.results.reading import read_report

HERE = Path(__file__).parent
BROKEN = ("broken_factory", "ExitsLater")
LEAVES = "its process ended with exit status 0 while predict() was running; it must return"
WORKERS = {"serial": ("-p", "no:xdist"), "parallel": ("-n", "2")}


@pytest.fixture(scope="module")
def sessions(arrow, run_gates, tmp_path_factory):
    """The session in one process and in three; each its end and the folder of its report."""
    root = tmp_path_factory.mktemp("sessions")
    models = ["control:oracle", "control:persistence", *(f"python:predictors:{name}" for name in ("Counting", *BROKEN))]
    given = [*(f"--model={model}" for model in models), f"--corpus={arrow}", "--max-samples=120", "--horizon=3"]
    made = {}
    for name, workers in WORKERS.items():
        report = root / name
        env = {"TMPDIR": str(tmp_path_factory.mktemp("tmp"))}
        env |= {"COUNT_FILE": str(root / f"{name}.contexts"), "AUDITS_FILE": str(root / f"{name}.audits")}
        done = run_gates(*given, *workers, "-p", "counted_audits", f"--report={report}", cwd=HERE, env=env)
        assert done.returncode == 1, done.stdout + done.stderr
        made[name] = done, report
    return made


def scorecard(folder: Path) -> dict:
    return json.loads((folder / "scorecard.json").read_text())


def by_name(card: dict) -> dict:
    return {model["name"].removeprefix("python:predictors:"): model for model in card["models"]}


def without_run_details(card: dict) -> dict:
    return {k: v for k, v in card.items() if k not in ("created", "arguments", "revision", "report_id")}


def test_parallel_and_serial_agree(sessions):
    serial, parallel = (without_run_details(scorecard(sessions[name][1])) for name in WORKERS)
    assert serial == parallel
    ids = {read_report(folder).scorecard["report_id"] for _, folder in sessions.values()}
    assert len(ids) == 2, "each of the two is one report, and no other"


def test_each_model_is_predicted_once_however_many_workers(sessions):
    folder = sessions["serial"][1].parent
    asked = [sum(map(int, (folder / f"{name}.contexts").read_text().split())) for name in WORKERS]
    assert asked[0] == asked[1] > 0


@pytest.mark.parametrize("name", WORKERS)
def test_each_audit_is_made_once_however_many_workers(sessions, name):
    log = sessions[name][1].parent / f"{name}.audits"
    assert sorted(log.read_text().splitlines()) == sorted(AUDITS)


def test_a_bad_model_fails_the_session(sessions):
    done, _ = sessions["serial"]
    assert "FAILED" in done.stdout
    assert "gate A: control:persistence" in done.stdout
    assert "margin on VAL = -0." in done.stdout
    assert "Next: " in done.stdout


def test_the_scorecard_ends_the_output_within_80_columns(sessions):
    done, _ = sessions["serial"]
    tail = done.stdout[done.stdout.index("RELEASE") :]
    assert "BLOCKED" in tail
    # The last line names the folder that was asked for, however long its path is.
    assert max(len(line) for line in tail.splitlines() if not line.startswith("report: ")) <= 80


def test_verdicts(sessions):
    models = by_name(scorecard(sessions["serial"][1]))
    oracle, persistence = models["control:oracle"], models["control:persistence"]
    assert oracle["verdict"] == "release"
    assert all(oracle["gates"][gate]["passed"] for gate in "ABCDE")
    for split in ("VAL", "OOD"):
        for pool in ("article", "novel", "global"):
            assert oracle["gates"]["B"][split][pool]["R@1"]["value"] == 1.0
            assert oracle["gates"]["B"][split][pool]["MRR"]["value"] == 1.0
        assert oracle["gates"]["D"][split]["mean"]["value"] == pytest.approx(1.0, abs=1e-9)
    assert persistence["verdict"] == "blocked"
    assert any("negative margin" in reason for reason in persistence["reasons"])


def test_report_holds_one_row_a_window(sessions):
    _, folder = sessions["serial"]
    card = scorecard(folder)
    normal = by_name(card)["control:persistence"]["gates"]["E"]
    with np.load(folder / "samples.npz", allow_pickle=False) as samples:
        for split in ("VAL", "OOD"):
            n = card["corpus"]["splits"][split]["windows"]
            assert len(samples[f"{split}/article"]) == n
            cosine = samples[f"{split}/control:persistence/cosine"]
            assert cosine.mean() == pytest.approx(normal[split]["normal"]["value"], abs=0.1)
            assert len(cosine) == n
    assert "control:persistence" in (folder / "scorecard.html").read_text()


@pytest.mark.parametrize("name", WORKERS)
def test_the_others_are_judged_and_the_broken_are_blocked(sessions, name):
    """One breaks in its factory, one in the middle of its evaluation."""
    done, folder = sessions[name]
    models = by_name(scorecard(folder))
    assert {model: card["verdict"] for model, card in models.items()} == {
        "control:oracle": "release",
        "control:persistence": "blocked",
        "Counting": "blocked",
        **dict.fromkeys(BROKEN, "blocked"),
    }
    assert {model: card["faults"] for model, card in models.items() if card["faults"]} == {
        "broken_factory": ["python:predictors:broken_factory: broken_factory() raised ValueError: no weights."],
        "ExitsLater": [f"python:predictors:ExitsLater: {LEAVES}."],
    }
    for card in (models[model] for model in BROKEN):
        assert card["reasons"][0] == card["faults"][0]
        assert not any("not finite" in reason for reason in card["reasons"]), "nothing was predicted at all"
        assert not any(gate["passed"] for gate in card["gates"].values())
        assert card["gates"]["A"]["VAL"]["margin"]["value"] is None
    # Gates A-D on two splits, E, and the release, of the two; and nothing of the one that is good.
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    counts = Counter(model for line in failed for model in (*BROKEN, "oracle") if model in line)
    assert counts == dict.fromkeys(BROKEN, 10)
    assert "gate A: the model broke" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
