"""The terminal scorecard: eighty columns, verdict first, nothing dropped."""

import re

import pytest
from msgspec.structs import replace
from scorecard_sample import NAN, card, scorecard, skill_metrics, typed, without_skill

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.report.layout import WIDTH, available
from lvm_gates.harness.report.overview import beyond, findings
from lvm_gates.harness.report.terminal import render_terminal

LONG = "runs/2025-01-01/a-rather-long-experiment-name-that-nobody-shortened/v3/best_model.pt"


def flat(text: str) -> str:
    """The text with line breaks undone, since sentences are wrapped."""
    return re.sub(r"\s+", " ", text)


def shown(whole: dict) -> str:
    text = render_terminal(typed(whole), colour=False)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text
    return text


@pytest.mark.parametrize("profile", ["5cat", "skill"])
@pytest.mark.parametrize("level", [0.97, 0.4, NAN])
def test_fits_eighty_columns_and_gives_verdict_and_every_reason(profile: str, level: float) -> None:
    reasons = ["negative margin on VAL: -0.592, " + "the prediction is nearest to k=0 " * 5, "1 of 5 gates passed"]
    whole = scorecard([card(LONG, level, "blocked", reasons)], profile=profile)
    text = flat(shown(whole))
    assert all(flat(reason).strip() in text for reason in reasons)
    assert text.index("BLOCKED") < text.index(reasons[1]) < text.index("gate / metric")


@pytest.mark.parametrize(("width", "name"), [(80, 17), (100, 37), (112, 33), (140, 61)])
def test_a_wider_terminal_has_longer_names_and_the_interval_of_the_skill(width: int, name: int) -> None:
    made = typed(scorecard([card("/".join("abcdefgh" * 9), 0.97, "release", [])]))
    lines = render_terminal(made, colour=False, width=width).splitlines()
    assert max(map(len, lines)) <= width
    row = next(line for line in lines if line.startswith("…"))
    assert name - 2 < len(row.split()[0]) <= name
    assert ("+.030 [+.020, +.040]" in row) == (width >= 112)


def test_what_now_stands_under_the_reasons_of_a_model_that_is_not_released() -> None:
    made = scorecard([card("m.pt", 0.97, "blocked", ["because"], faults=["because"])])
    text = shown(made)
    assert re.search(r"  - because\n  > what now: Mend what broke; `lvm-gate --dry-run m.pt`", text)
    assert text.index("what now") < text.index("gate / metric")
    assert "what now" not in shown(scorecard())


def test_files_and_pipes_have_eighty_columns_and_no_terminal_has_less(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, wanted in (("60", 80), ("120", 120), ("400", 140)):
        monkeypatch.setenv("COLUMNS", columns)
        assert (available(terminal=True), available(terminal=False)) == (wanted, 80)


def test_every_check_of_the_profile_has_a_row_with_its_interval_limit_and_n() -> None:
    text = shown(scorecard())
    assert re.search(r"margin +\+\.370 \[\S+, \S+\] +\+\.370 \[\S+, \S+\] +>= \.12 / \.10 +pass", text)
    assert re.search(r"A offset sweep +peak k=\+1, n = 400", text)
    assert re.search(r"E generalisation +n = 400 +PASS", text)
    for label in (
        "c(+1)",
        "R@1",
        "R@5",
        "MRR",
        "shuffled",
        "reversed",
        "leave-one-out",
        "last repeated",
        "foreign last",
    ):
        assert f"  {label} " in text


def test_colour_adds_nothing_but_colour() -> None:
    plain, coloured = (render_terminal(typed(scorecard()), colour=colour) for colour in (False, True))
    assert "\x1b[" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


def test_undefined_and_inconclusive_are_said_in_words() -> None:
    text = flat(shown(scorecard([card("broken", NAN, "blocked", ["not finite"]), card("few", 0.97, "hold", [], n=12)])))
    assert "undefined: not every prediction is finite" in text
    assert "inconclusive: 12 windows, at least 30 are needed: A on VAL" in text
    assert "no peak" in text
    assert "nan" not in text.replace("control:nan", "").replace(" nan ", " ")


def test_a_gate_that_fails_on_one_split_says_which() -> None:
    model = card("m.pt", 0.97, "hold", [])
    check = next(c for c in model["gates"]["D"]["checks"] if c["split"] == "OOD")
    check["passed"] = False
    assert re.search(r"rollout .*FAIL OOD", shown(scorecard([model])))


def test_tolerated_gate_is_marked() -> None:
    model = card("m.pt", 0.97, "release", ["4 of 5 gates passed; failed: C"], tolerated=["C"])
    model["gates"]["C"]["passed"] = False
    text = shown(scorecard([model], require="production"))
    assert "tolerated by --require=production: C" in text
    assert re.search(r"C ablations .*FAIL\*", text)


def test_failed_audit_stands_before_the_models() -> None:
    audits = [{"name": "contiguity", "status": "not checkable", "detail": "no chunk indices", "figures": {}}]
    text = shown(scorecard(audits=audits))
    assert text.index("contiguity: NOT CHECKABLE; no chunk indices") < text.index("RELEASE")


@pytest.mark.parametrize(("blocks", "colour"), [(True, "31"), (False, "33")])
def test_an_audit_that_blocks_is_red_and_one_that_does_not_yellow(blocks: bool, colour: str) -> None:
    audits = [{"name": "arrow", "status": "not checkable", "detail": "", "figures": {}, "blocks": blocks}]
    text = render_terminal(typed(scorecard(audits=audits)), colour=True)
    assert re.search(rf"\x1b\[{colour}m[^\x1b]*arrow: NOT CHECKABLE", text)
    assert ("\x1b[31mdata audits: 0 of 1 pass" in text) == blocks


def test_conduct_of_controls_is_shown() -> None:
    whole = scorecard()
    whole["controls"][0]["misbehaved"] = ["passes gate A"]
    text = flat(shown(whole))
    assert "! oracle" in text
    assert "! control:oracle fails its check: not true that it passes gate A" in text
    assert "gate C does not tell a network from control:persistence on this corpus" in text


def test_bayes_that_fails_is_a_finding_on_synthetic_corpora_only() -> None:
    whole = scorecard()
    whole["controls"].append(card("control:bayes", 0.55, "hold", []))
    sentence = (
        "the best possible predictor of synthetic dataset wiki fails gate A here: peak at k=0, margin -0.050; no model "
        "can pass"
    )
    assert sentence in flat(shown(whole))
    whole["corpus"] = {**whole["corpus"], "kind": "npz"}
    assert "finding" not in shown(whole)


def test_only_what_the_oracle_passes_and_bayes_fails_on_enough_windows_is_a_finding() -> None:
    oracle, bayes, few = (
        card(f"control:{name}", level, "hold", [], n=n)
        for name, level, n in (("oracle", 0.99, 400), ("bayes", 0.55, 400), ("bayes", 0.55, 12))
    )
    on_a, on_b = findings(typed({**scorecard(), "controls": [oracle, bayes]}))
    assert "fails gate A here: peak at k=0, margin -0.050;" in on_a
    assert "fails gate B here: R@1 0.550, R@5 0.550, MRR 0.550;" in on_b
    assert findings(typed({**scorecard(), "controls": [oracle, few]})) == []
    oracle["gates"]["A"]["passed"] = False
    assert findings(typed({**scorecard(), "controls": [oracle, bayes]})) == [on_b]


@pytest.mark.parametrize(
    ("task", "chosen", "along", "excess", "expected"),
    [
        ("frontier", 0.02, 0.01, 0.02, True),
        ("frontier", 0.02, None, 0.02, True),
        ("frontier", 0.01, 0.01, 0.02, False),
        ("frontier", 0.02, 0.02, 0.02, False),
        ("frontier", None, 0.01, None, False),
        ("decoding", 0.02, 0.01, 0.02, False),
    ],
)
def test_a_gain_in_cosine_is_told_from_f(
    task: str, chosen: float | None, along: float | None, excess: float | None, expected: bool
) -> None:
    found = dict(zip(("task_metric", "gain", "excess_cosine"), map(value, (chosen, along, excess)), strict=True))
    assert beyond(replace(skill_metrics(0.5).val, **found), task) == expected


def value(given: float | None) -> Estimate:
    return Estimate(NAN if given is None else given, NAN, NAN, 400)


def test_beyond_the_frontier_shows_the_gain_in_cosine() -> None:
    model = card("m.pt", 0.97, "release", [])
    for split in ("VAL", "OOD"):
        gain = {"value": 0.021, "low": 0.01, "high": 0.03, "n": 400}
        model["skill"][split] |= {"excess_cosine": gain, "task_figure": gain}
    text = flat(shown(scorecard([model])))
    assert "VAL beyond every rival's cosine by +0.021 [+0.010, +0.030]" in text
    assert ".021c" in text


def test_published_profile_without_skill_and_candidate_sets() -> None:
    text = shown(without_skill(scorecard()))
    assert "not computed under this profile" in text
