"""Sessions with `--sequential`: they stop where all is known, ask each window once, and say so; the rest is as ever."""

import json
from pathlib import Path

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.draw_order import SHARES
from lvm_gates.harness.judging import early
from lvm_gates.harness.results.reading import read_report

HERE = Path(__file__).parent
PERSISTENCE, ORACLE = "control:persistence", "control:oracle"


@pytest.fixture
def asked(monkeypatch):
    """Rows of the windows that models were asked for, by split."""
    rows = {split: [] for split in JUDGED}
    observe = early.observe

    def counted(named, evaluation, **given):
        rows[evaluation.split].extend(evaluation.windows.targets.tolist())
        return observe(named, evaluation, **given)

    monkeypatch.setattr(early, "observe", counted)
    return rows


@pytest.mark.parametrize("unit", ["articles", "windows"])
def test_a_clear_failure_takes_a_part_of_the_windows_each_asked_for_once(make_run, asked, unit):
    run = make_run(PERSISTENCE, sequential=True, sequential_unit=unit, max_samples=5000)
    whole = {split: run.inputs.evaluation[split].windows.targets for split in JUDGED}
    run.prepare()
    found = run.sequential
    assert found.unit == unit
    assert found.shares == list(SHARES[: len(found.shares)])
    assert found.shares[-1] <= 0.55
    assert run.card(PERSISTENCE).decision.verdict == "blocked"
    assert found.models[0].outcome == "no release"
    assert found.models[0].model == PERSISTENCE
    assert run.outside_reasons == [], "controls behave on the windows that were seen"
    for split, part in found.splits.items():
        judged = run.inputs.evaluation[split].windows
        assert sorted(asked[split]) == judged.targets.tolist()
        assert set(judged.targets) < set(whole[split])
        assert (part.windows, part.of_windows) == (len(judged), len(whole[split]))
        assert part.articles == len(np.unique(judged.clusters))
        assert len(run.observations(PERSISTENCE, split)) == len(judged)
        assert len(run.left_out[split]) == len(judged)


def test_a_part_is_observed_as_the_whole_is(make_run, monkeypatch):
    """A window says the same whether it is drawn early, late, or the windows are all asked for at once."""
    monkeypatch.syspath_prepend(HERE)
    model = "python:predictors:LastFrame"
    given = {"in_process": True, "max_samples": 300}
    at_once = make_run(model, **given)
    at_once.prepare()
    wanted = {split: at_once.observations(model, split) for split in JUDGED}
    run = make_run(model, sequential=True, sequential_unit="windows", **given)
    run.prepare()
    assert len(run.sequential.shares) < len(SHARES)
    for split in JUDGED:
        found = run.observations(model, split)
        same = np.searchsorted(wanted[split].rows, found.rows)
        expected = wanted[split].take(same)
        for name, values in found.arrays().items():
            if name not in ("spread", "target_spread", "rank_without"):
                assert np.allclose(values, expected.arrays()[name], atol=1e-6, equal_nan=True), name


def test_where_the_whole_sample_is_needed_nothing_is_different(make_run):
    """Under profile `skill` no release is early: the card is that of a session without the option."""
    plain, run = make_run(ORACLE, profile="skill"), None
    plain.prepare()
    card = plain.card(ORACLE).record()
    run = make_run(ORACLE, profile="skill", sequential=True)
    run.prepare()
    assert run.sequential.reason == "the whole sample was needed"
    assert run.sequential.models[0].outcome == "open"
    assert run.card(ORACLE).record() == card


def test_a_session_goes_on_until_every_model_is_decided(make_run):
    run = make_run(PERSISTENCE, ORACLE, sequential=True, sequential_unit="windows")
    run.prepare()
    assert run.sequential.models[0].outcome == "no release"
    assert run.sequential.shares[-1] == 1.0, "ten articles without a miss are too few for a release"
    assert [model.model for model in run.sequential.models] == [PERSISTENCE, ORACLE]
    assert run.card(ORACLE).decision.verdict == "release"


def test_a_model_that_breaks_is_blocked_at_the_first_look(make_run):
    model = "python:predictors:ExitsLater"
    run = make_run(model, PERSISTENCE, sequential=True, max_samples=5000)
    run.prepare()
    card = run.card(model)
    assert card.decision.verdict == "blocked"
    assert card.faults == (run.sequential.models[0].reason,)
    assert run.sequential.shares == [SHARES[0]]


def test_a_prediction_that_is_not_finite_is_enough(make_run):
    run = make_run("control:nan", sequential=True)
    run.prepare()
    assert run.sequential.shares == [SHARES[0]]
    assert run.sequential.reason == "a prediction on VAL is not finite"


def test_contamination_of_the_whole_sample_is_known_before_it_is_seen(make_run, monkeypatch):
    monkeypatch.setattr(early.SequentialRun, "_contaminated", lambda self, name, recorded: ("contaminated: all of it",))
    run = make_run(ORACLE, sequential=True)
    run.prepare()
    assert run.sequential.shares == [SHARES[0]]
    assert run.sequential.reason == "contaminated: all of it"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sequential_unit": "article"}, "--sequential-unit=article: no such unit; did you mean 'articles'"),
        ({"profile": "5cat-published", "sequential": True}, "leave out --sequential"),
    ],
)
def test_what_makes_no_sense_is_refused(make_run, options, said):
    with pytest.raises(UserError, match=said):
        make_run(ORACLE, **options)


@pytest.fixture(scope="module")
def sessions(arrow, run_gates, tmp_path_factory):
    """The same session in one process and in three, there with other batches: what was printed, and its report."""
    root, found = tmp_path_factory.mktemp("sequential"), {}
    given = [f"--model={PERSISTENCE}", "--model=python:predictors:LastFrame", f"--corpus={arrow}", "--horizon=2"]
    given += ["--sequential", "--sequential-unit=windows", "--max-samples=600"]
    ways = {"serial": ("-p", "no:xdist"), "parallel": ("-n", "2", "--batch-size=64")}
    for name, way in ways.items():
        done = run_gates(*given, *way, f"--report={root / name}", cwd=HERE)
        assert done.returncode == 1, done.stdout + done.stderr
        found[name] = done.stdout, root / name
    return found


def test_where_it_stops_depends_on_the_seed_alone(sessions):
    cards = {name: json.loads((folder / "scorecard.json").read_text()) for name, (_, folder) in sessions.items()}
    for field in ("sequential", "models", "controls"):
        assert cards["parallel"][field] == cards["serial"][field], field


def test_the_scorecard_and_what_is_printed_say_where_it_stopped_and_why(sessions):
    printed, folder = sessions["serial"]
    card = read_report(folder).scorecard
    found = card["sequential"]
    part = found["splits"]["VAL"]
    assert found["seed"] == 0
    assert part["windows"] < part["of_windows"]
    assert card["corpus"]["splits"]["VAL"]["windows"] == part["windows"]
    line = " ".join(printed.split())
    assert f"sequential, by windows: {part['windows']} of {part['of_windows']} VAL windows" in line
    assert found["reason"] in line
    assert found["reason"] in (folder / "scorecard.html").read_text()
    for check in json.loads((folder / "scorecard.json").read_text())["sequential"]["models"][0]["decided"]:
        assert {"gate", "check", "split", "low", "high", "limit", "status"} == set(check)
        assert check["status"] == "fail"
