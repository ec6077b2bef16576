"""Exit status, JSON, Markdown and badges of `lvm-report`; the models of the original documents; paired ties."""

import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from spoken import put, sentence

from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.cli.report import main
from lvm_gates.harness.report.reported import reported
from lvm_gates.harness.results.policy import parse_policy
from lvm_gates.harness.results.ranking import Ranked, paired_skill
from lvm_gates.harness.results.reading import read_report


def lvm_report(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def verdict(altered):
    """verdict("release"): a report of that verdict."""
    return lambda said: altered("ridge", put("models", 0, "verdict", value=said), new=f"is-{said}")


@pytest.mark.parametrize(
    ("said", "status", "form"), [("release", 0, []), ("hold", 1, ["--markdown"]), ("blocked", 1, ["--json"])]
)
def test_show_ends_as_the_session_did(verdict, said, status, form):
    done = lvm_report("show", verdict(said), *form)
    assert (done.exit_code, done.stderr) == (status, "")


def test_a_report_without_a_model_releases_nothing(altered):
    assert lvm_report("show", altered("ridge", put("models", value=[]))).exit_code == 1


def test_show_in_json_is_the_scorecard(reports):
    done = lvm_report("show", reports / "ridge", "--json")
    assert json.loads(done.stdout) == jsonable(read_report(reports / "ridge").scorecard)


def test_show_in_markdown(altered):
    def change(card):
        card["models"][0] |= {"name": "a|b<img>.pt", "reasons": ["4 of 5 gates passed"]}
        card["audits"][0] |= {"status": "fail", "detail": "x"}
        card["controls"][0]["misbehaved"] = ["passes gate A"]

    said = lvm_report("show", altered("ridge", change), "--markdown").output
    assert "a\\|b&lt;img>.pt" in said
    assert "- 4 of 5 gates passed" in said
    assert "fails its check: not true that it passes gate A" in said
    assert "data audit" in said
    rows = [line for line in said.splitlines() if line.startswith("| ")]
    assert len(rows) > 15
    assert any(row.startswith("| A offset sweep |") for row in rows)


def test_one_form_at_a_time(reports):
    for command in ("show", "leaderboard"):
        done = lvm_report(command, reports / "ridge", "--json", "--markdown")
        assert done.exit_code == 2
        assert "contradict each other" in done.stderr


@pytest.mark.parametrize(("said", "shown"), [("release", "released"), ("hold", "hold"), ("blocked", "blocked")])
def test_a_badge(verdict, tmp_path, said, shown):
    for suffix in ("json", "svg"):
        done = lvm_report("badge", verdict(said), "--out", tmp_path / f"b.{suffix}", "--label", "a<b")
        assert done.exit_code == 0, done.output
        shutil.rmtree(tmp_path / f"is-{said}")
    made = json.loads((tmp_path / "b.json").read_text())
    assert (made["schemaVersion"], made["label"], made["message"]) == (1, "a<b", shown)
    svg = ElementTree.parse(tmp_path / "b.svg").getroot()  # noqa: S314 - written a line above
    assert svg.get("aria-label") == f"a<b: {shown}"


def test_what_is_no_badge(reports, altered, tmp_path):
    assert "neither .svg nor .json" in sentence(lvm_report("badge", reports / "ridge", "--out", tmp_path / "b.png"))
    empty = altered("ridge", put("models", value=[]))
    assert "holds no model" in sentence(lvm_report("badge", empty, "--out", tmp_path / "b.svg"))
    assert not list(tmp_path.glob("b.*"))


def test_the_worst_verdict_is_on_the_badge(altered, tmp_path):
    def two(card):
        card["models"] = [card["models"][0] | {"name": v, "verdict": v} for v in ("release", "blocked")]

    lvm_report("badge", altered("ridge", two), "--out", tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text())["message"] == "blocked"


# leaderboard


def test_a_folder_of_reports(altered, tmp_path):
    for name in ("one", "two"):
        altered("ridge", put("models", 0, "name", value=f"{name}.pt"), new=f"runs/{name}/report")
    found = json.loads(lvm_report("leaderboard", tmp_path / "runs", "--json").stdout)
    (table,) = found["tables"]
    assert sorted(row["name"] for row in table["models"]) == ["one.pt", "two.pt"]
    (tmp_path / "empty").mkdir()
    assert "no scorecard.json in that folder" in sentence(lvm_report("leaderboard", tmp_path / "empty"))
    (tmp_path / "runs" / "two" / "report" / "scorecard.json").write_text("{")
    assert "cannot be read as JSON" in sentence(lvm_report("leaderboard", tmp_path / "runs"))


def test_leaderboard_in_json(reports):
    found = json.loads(lvm_report("leaderboard", reports / "pair", "--json", "--no-reported").stdout)
    (table,) = found["tables"]
    first, second = table["models"]
    assert (first["tied_with_above"], first["above_minus_this"]) == (False, None)
    behind = second["above_minus_this"]
    assert second["tied_with_above"] == (behind["low"] <= 0 <= behind["high"])
    assert first["OOD"]["skill"]["value"] - second["OOD"]["skill"]["value"] == pytest.approx(behind["value"])
    assert found["reported"] == []


def test_the_models_of_the_original_documents_stand_beside(reports):
    measured = [one for one in reported() if one.is_measured]
    assert len(measured) == 13
    for form in ([], ["--markdown"]):
        said = lvm_report("leaderboard", reports / "ridge", *form).output
        assert all(one.name in said for one in measured)
        assert "no row here compares with one above" in " ".join(said.split())
    assert len(json.loads(lvm_report("leaderboard", reports / "ridge", "--json").stdout)["reported"]) == 13
    (p1,) = (one for one in measured if one.name == "P1")
    assert (p1.best_cosine, p1.margin, p1.gates) == (0.55, -0.167, "2/5")


def ranked(folder, name):
    return Ranked(read_report(folder), name)


def test_a_paired_difference_is_narrower_than_two_intervals(reports):
    above, below = (ranked(reports / "best", f"control:{name}") for name in ("persistence", "ewma"))
    found = paired_skill(above, below, "OOD")
    skills = [one.report.card(one.name).skill.ood.task_metric for one in (above, below)]
    assert found.value == pytest.approx(skills[0].value - skills[1].value)
    assert found.high - found.low < sum(one.high - one.low for one in skills)
    back = paired_skill(below, above, "OOD")
    assert (back.value, back.low) == pytest.approx((-found.value, -found.high))
    same = paired_skill(above, ranked(reports / "ridge", "control:persistence"), "OOD")
    assert (same.value, same.low, same.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_where_there_is_no_pair_there_is_no_difference(reports, altered):
    own, ewma = (ranked(reports / "best", f"control:{name}") for name in ("persistence", "ewma"))
    assert paired_skill(own, ranked(reports / "pair", "control:ewma"), "OOD") is None  # other windows
    alone = altered("best", new="alone")
    (alone / "samples.npz").unlink()
    assert paired_skill(own, ranked(alone, "control:ewma"), "OOD") is None
    old = altered("best", new="old")
    with np.load(old / "samples.npz") as stored:
        arrays = {key: stored[key] for key in stored if not key.endswith("/near_duplicate")}
    np.savez(old / "samples.npz", **arrays)
    assert paired_skill(own, ranked(old, "control:ewma"), "OOD") is None
    other = altered("best", put("controls", 0, "skill", value={}), new="other")
    name = read_report(other).scorecard.controls[0].name
    assert paired_skill(ewma, ranked(other, name), "OOD") is None
    # In cosine beyond every rival, and in rank beside the frontier: metrics of two kinds.
    assert paired_skill(ranked(reports / "best", "control:bayes"), ewma, "OOD") is None
    decoding = altered("best", put("task", value="decoding"), new="decoding")
    assert paired_skill(own, ranked(decoding, "control:ewma"), "OOD") is None


# margins


def test_margins_are_what_seeds_differ_by(altered, reports, tmp_path):
    shifts = {"a": 0.0, "b": 0.01, "c": 0.02}
    for name, shift in shifts.items():
        folder = altered("ridge", new=f"seeds/{name}")
        with np.load(folder / "samples.npz") as stored:
            arrays = {key: stored[key] for key in stored}
        for split in ("VAL", "OOD"):
            arrays[f"{split}/control:linear/cosine"] = arrays[f"{split}/control:linear/cosine"] - shift
        np.savez(folder / "samples.npz", **arrays)
    done = lvm_report("margins", tmp_path / "seeds")
    assert done.exit_code == 0, done.output
    policy = parse_policy(done.stdout.encode(), "printed")
    rules = {rule.metric: rule for rule in policy.metrics}
    assert rules["cosine"].margin == 0.028  # 2.77 times .01, rounded up to two digits
    assert rules["cosine"].evidence == "standard deviation 0.0100 between 3 seeds"
    assert rules["rollout"].margin == 0.001
    assert rules["reverse"].better == "lower"
    assert "at least 3 seeds" in sentence(lvm_report("margins", tmp_path / "seeds" / "a", tmp_path / "seeds" / "b"))
    of_others = [tmp_path / "seeds", altered("ridge", put("profile", value="skill"), new="other")]
    assert "gate both models by the same" in sentence(lvm_report("margins", *of_others))
