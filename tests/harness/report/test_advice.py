"""What now: from scorecards of every kind of refusal to the sentences that say what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scorecard_sample import SPLITS, card, scorecard, typed

from lvm_gates.harness.evaluation.collapse import Spread
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.release import blocking_reasons
from lvm_gates.harness.report.advice import MOST, what_now
from lvm_gates.harness.report.reach import TRIVIAL, unreachable

Change = Callable[[dict[str, Any]], None]


def whole(
    *, profile: str = "5cat", level: float = 0.4, trivial: float = 0.3, verdict: str = "blocked"
) -> dict[str, Any]:
    """A model and every control that a team could ship, all of them at the levels given."""
    made = scorecard([card("runs/my model.pt", level, verdict, ["because"])], profile=profile)
    made["controls"] = [card("control:oracle", 0.99, "release", [])]
    made["controls"] += [card(f"control:{name}", trivial, "blocked", []) for name in TRIVIAL]
    return made


def said(made: dict[str, Any]) -> str:
    found = typed(made)
    sentences = what_now(found, found.models[0])
    assert len(sentences) <= MOST
    assert all(one[0].isupper() and one.endswith((".", ")")) for one in sentences)
    return " ".join(sentences)


def broke(made: dict[str, Any]) -> None:
    made["models"][0]["faults"] = ["my model.pt: returned (3, 7)"]


def leaked(made: dict[str, Any]) -> None:
    made["audits"] = [{"name": "leaked windows", "status": "fail", "detail": "half of them", "blocks": True}]


def unknown_audit(made: dict[str, Any]) -> None:
    made["audits"] = [{"name": "my own", "status": "fail", "detail": "no", "blocks": True}]


def contaminated(made: dict[str, Any]) -> None:
    made["models"][0]["training_data"] = {"status": "contaminated", "detail": "trained on 3 of the 9 VAL articles"}


def control_fails(made: dict[str, Any]) -> None:
    made["controls"][2]["misbehaved"] = ["fails gate A"]


def incomplete(made: dict[str, Any]) -> None:
    made["models"][0]["reasons"] = ["incomplete: gates that did not run: C"]


def few_articles(made: dict[str, Any]) -> None:
    made["corpus"]["splits"] = {split: {"articles": 8, "windows": 400} for split in SPLITS}
    check = made["models"][0]["gates"]["B"]["checks"][0]
    check["figure"]["articles"] = 4
    check["note"] = "inconclusive: 4 articles, at least 10 are needed"


SESSION: list[tuple[Change, str]] = [
    (broke, "Mend what broke; `lvm-gate --dry-run 'runs/my model.pt'`"),
    (leaked, "`lvm-data split` draw TRAIN, VAL and OOD by article"),
    (unknown_audit, "`lvm-data audit` looks at it again"),
    (contaminated, "Judge it on articles that it has not seen: `lvm-data split`"),
    (control_fails, "not the model: control:context-mean did what no context mean can do"),
    (incomplete, "leave out -k, --deselect"),
    (few_articles, "has 4 articles, at least 10. Give VAL and OOD more articles (about 20 a split)"),
]


@pytest.mark.parametrize(("change", "wanted"), SESSION, ids=lambda given: getattr(given, "__name__", ""))
def test_what_stands_in_the_way_of_a_judgement_is_all_that_is_said(change: Change, wanted: str) -> None:
    made = whole()
    change(made)
    text = said(made)
    assert wanted in text
    assert "--profile=skill" not in text
    assert "Gate A" not in text


def test_three_sentences_at_most_the_model_s_own_faults_first() -> None:
    made = whole()
    for change, _ in SESSION:
        change(made)
    assert said(made).startswith("Mend what broke")


def blocked_by(make_observations: Any, **columns: Any) -> list[str]:
    """The reasons that the judge itself gives."""
    observed = {split: make_observations(**columns) for split in SPLITS}
    gates = card("m.pt", columns.pop("level", 0.9), "blocked", [])["gates"]
    as_read = {"A": typed(scorecard([card("m.pt", 0.0, "blocked", [])])).models[0].gates.a}
    assert gates
    return blocking_reasons(observed, as_read, load_profile("5cat"))


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"finite": np.zeros(60, dtype=bool), "cosine": np.full(60, np.nan)}, "NaN, infinite or zero"),
        ({"spread": Spread(1.0, 1.0, 1e-7, 512)}, "answers nearly the same whatever it reads"),
        ({}, "nothing to do with the targets"),
    ],
    ids=["not finite", "collapsed", "no relation"],
)
def test_what_the_judge_says_of_a_broken_model_is_understood(
    make_observations: Any, columns: dict[str, Any], wanted: str
) -> None:
    made = whole()
    made["models"][0]["reasons"] = blocked_by(make_observations, **columns)
    assert wanted in said(made)


def test_a_gate_that_only_the_oracle_passes_names_profile_skill() -> None:
    made = whole()
    assert unreachable(typed(made)) == ["A", "B", "D"]
    text = said(made)
    assert text.startswith("Only the oracle, which is shown the answer, passes gates A, B and D on this corpus")
    assert "use `--profile=skill`" in text


def test_a_gate_that_the_best_possible_predictor_passes_is_in_reach() -> None:
    made = whole()
    made["controls"].append(card("control:bayes", 0.97, "release", []))
    assert unreachable(typed(made)) == []
    assert "--profile=skill" not in said(made)
    assert "Gate A: the prediction is nearest to k=0 where k=+1 is the target; the target of training" in said(made)


@pytest.mark.parametrize("profile", ["skill", "5cat-published"])
def test_under_other_profiles_no_gate_is_called_out_of_reach(profile: str) -> None:
    assert unreachable(typed(whole(profile=profile))) == []


def test_no_gate_is_called_out_of_reach_on_the_word_of_half_the_controls() -> None:
    made = whole()
    del made["controls"][-1]
    assert unreachable(typed(made)) == []


def test_a_trivial_control_that_passes_is_named_with_the_difference() -> None:
    made = whole()
    made["controls"][-1] = card("control:linear", 0.52, "blocked", [])
    text = said(made)
    assert unreachable(typed(made)) == ["A", "B"]
    assert "Ridge passes gate D and is .120 better (rollout on VAL)" in text


def test_a_pass_that_ridge_makes_better_is_said_of_a_released_model_too() -> None:
    made = whole(level=0.96, verdict="release")
    made["controls"][-1] = card("control:linear", 0.99, "blocked", [])
    assert said(made).startswith("Ridge passes gate A as well and is .030 better (c(+1) on VAL)")
    made["controls"][-1] = card("control:linear", 0.96, "blocked", [])
    assert said(made) == ""


def gain(value: float, error: float | None, articles: int = 30) -> dict[str, Any]:
    if error is None:
        return {"value": value, "low": None, "high": None, "n": 400, "articles": articles}
    half = 2.045 * error  # t of 29 degrees of freedom
    return {"value": value, "low": value - half, "high": value + half, "n": 400, "articles": articles, "df": 29.0}


@pytest.mark.parametrize(
    ("value", "error", "wanted"),
    [
        (
            -0.121,
            0.01,
            "is -.121 on VAL, and at least +.002 is wanted; with 30 articles one of .029 is seen four times",
        ),
        (0.001, 0.0001, "is +.001 on VAL, and at least +.002 is wanted; with 30 articles one of .002 is seen"),
        (0.01, 0.007, "Its gain of +.010 on VAL may be chance with 30 articles: about 126 would show it"),
        (0.01, None, "is +.010 on VAL, and at least +.002 is wanted."),
    ],
)
def test_a_hold_for_want_of_gain_says_what_gain_or_how_many_articles(
    value: float, error: float | None, wanted: str
) -> None:
    made = whole(profile="skill", verdict="hold")
    model = made["models"][0]
    model["skill"]["VAL"]["task_figure"] = gain(value, error)
    frontier = model["skill"]["gates"]["frontier"]
    frontier["passed"] = False
    for check in frontier["checks"]:
        check["passed"] = check["split"] == "OOD"
    assert wanted in said(made)


@pytest.mark.parametrize("gate", ["order", "rollout", "spread", "generalisation"])
def test_each_gate_of_skill_has_its_advice(gate: str) -> None:
    made = whole(profile="skill", verdict="hold")
    for name, judged in made["models"][0]["skill"]["gates"].items():
        judged["passed"] = name != gate
    assert said(made).startswith(f"Gate {gate}: ")


def test_a_gate_from_outside_is_left_to_its_author() -> None:
    made = whole(level=0.97, trivial=0.97)
    split = {"mine": {"value": 0.1, "low": None, "high": None, "n": 400}}
    made["models"][0]["added_gates"] = {"mine": {"passed": False, "checks": [], "VAL": split, "OOD": split}}
    for each in made["controls"]:
        each["added_gates"] = {"mine": {"passed": True, "checks": [], "VAL": split, "OOD": split}}
    assert "Gate mine was added from outside" in said(made)
