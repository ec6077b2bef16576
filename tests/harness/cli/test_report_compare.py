"""`lvm-report compare`, which is `lvm-gate compare`: four answers, an exit status each, and no fifth way out."""

import json
import re
import shutil
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import astuple
from spoken import put, sentence

from lvm_gates.gates.command import main as lvm_gate
from lvm_gates.harness.base.estimate import paired_difference
from lvm_gates.harness.cli import report_compare
from lvm_gates.harness.cli.report import main
from lvm_gates.harness.results import comparing

NOT_WORSE, WORSE, BROKEN, MISUSED, UNDECIDED = 0, 1, 3, 4, 6


def compare(*arguments):
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def answer(*arguments):
    done = compare(*arguments, "--json")
    found = json.loads(done.stdout)
    assert found["exit_status"] == done.exit_code
    return found


def refused(*arguments):
    return sentence(compare(*arguments), BROKEN)


def by_metric(found, metric):
    return {one["split"]: one for one in found["findings"] if one["metric"] == metric}


@pytest.fixture
def moved(altered):
    """moved(by, ...): the report `best` whose model's columns are moved by so much on every window."""

    def make(new, **by):
        folder = altered("best", put("models", 0, "name", value="m.pt"), new=new)
        with np.load(folder / "samples.npz") as stored:
            arrays = {key.replace("control:bayes", "m.pt"): stored[key] for key in stored}
        for field, shift in by.items():
            for split in ("VAL", "OOD"):
                values = arrays[f"{split}/m.pt/{field}"]
                noise = np.random.default_rng(0).normal(0, 1e-4, values.shape)
                arrays[f"{split}/m.pt/{field}"] = np.clip(values + shift + noise, -1.0, 1.0)
        np.savez(folder / "samples.npz", **arrays)
        return folder

    return make


@pytest.fixture
def policy(tmp_path):
    """policy(metric=(tier, margin), ...): a file."""

    def write(verdict="critical", **rules):
        tables = [
            f'[[metric]]\nmetric = "{m.replace("_", " ")}"\ntier = "{t}"\nmargin = {n}\n' for m, (t, n) in rules.items()
        ]
        file = tmp_path / "policy.toml"
        file.write_text(f'verdict = "{verdict}"\n' + "".join(tables))
        return file

    return write


def test_a_model_is_not_worse_than_its_equal(reports, moved):
    found = answer(reports / "best", moved("same", cosine=0.0))
    assert (found["answer"], found["exit_status"]) == ("not worse", NOT_WORSE)
    assert {one["outcome"] for one in found["findings"]} == {"not worse"}
    assert found["splits"]["VAL"]["windows"] + found["splits"]["VAL"]["leaked"] == 60


def test_what_once_passed_is_worse(reports, moved):
    """.028 of cosine and .090 of rollout less: the case in which the command once ended with 0."""
    done = compare(reports / "best", moved("less", cosine=-0.028, rollout=-0.09))
    assert done.exit_code == WORSE
    assert "\nWORSE\n" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    text = " ".join(done.output.split())
    for metric in ("cosine on VAL", "cosine on OOD", "rollout on VAL", "rollout on OOD"):
        assert re.search(rf"- {metric} is worse by more than [.\d]+ \(critical\)", text)


def test_the_difference_is_that_of_the_samples(reports):
    found = by_metric(answer(reports / "best", reports / "ridge"), "cosine")
    with np.load(reports / "best" / "samples.npz") as a, np.load(reports / "ridge" / "samples.npz") as b:
        for split in ("VAL", "OOD"):
            kept = ~a[f"{split}/leaked"]
            theirs, ours = b[f"{split}/control:linear/cosine"], a[f"{split}/control:bayes/cosine"]
            expected = paired_difference(theirs[kept], ours[kept], a[f"{split}/article"][kept])
            assert list(found[split]["difference"].values()) == pytest.approx(astuple(expected))
            assert found[split]["difference"]["value"] < 0  # nothing beats the optimum


def test_a_difference_that_reaches_across_the_margin_is_undecided(reports, policy):
    seen = by_metric(answer(reports / "best", reports / "ridge"), "cosine")["VAL"]["difference"]
    file = policy(verdict="advisory", cosine=("critical", abs(seen["value"]) + 1e-4))
    done = compare(reports / "best", reports / "ridge", "--policy", file, "--split", "val")
    assert done.exit_code == UNDECIDED
    text = " ".join(done.output.split())
    assert re.search(r"- cosine on VAL is undecided: about [\d,]+ articles would decide, \d+ are there", text)
    assert "OOD" not in text


def test_tiers(reports, moved, policy):
    worse = moved("less", cosine=-0.05)
    for tier, status in (("critical", WORSE), ("supporting", WORSE), ("advisory", NOT_WORSE)):
        rules = {"cosine": (tier, 0.02), "MRR_novel": ("critical", 0.02)}
        assert compare(reports / "best", worse, "--policy", policy(**rules)).exit_code == status, tier
    seen = by_metric(answer(reports / "best", reports / "ridge"), "cosine")["VAL"]["difference"]
    unsure = {"cosine": ("supporting", abs(seen["value"]) + 1e-4), "shuffle": ("critical", 2.0)}
    done = compare(reports / "best", reports / "ridge", "--policy", policy("advisory", **unsure), "--split", "val")
    assert done.exit_code == NOT_WORSE  # nothing shows that a supporting metric is worse


def test_losing_the_release_is_worse_whatever_the_metrics(reports, moved, policy):
    best, other = moved("released", cosine=0.0), moved("held", cosine=0.0)
    for folder, verdict, reason in ((best, "release", "5 of 5"), (other, "hold", "4 of 5 gates passed; failed: D")):
        card = json.loads((folder / "scorecard.json").read_text())
        card["models"][0] |= {"verdict": verdict, "reasons": [reason]}
        (folder / "scorecard.json").write_text(json.dumps(card))
    found = answer(best, other)
    assert (found["answer"], found["faults"][0]["tier"]) == ("worse", "critical")
    assert "4 of 5 gates passed" in found["reasons"][0]
    advisory = policy("advisory", cosine=("critical", 0.02))
    assert compare(best, other, "--policy", advisory).exit_code == NOT_WORSE
    assert compare(other, best).exit_code == NOT_WORSE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"faults": ["it raised"]}, "it broke while it was asked: it raised"),
        ({"training_data": {"status": "contaminated", "detail": "9 windows"}}, "trained on what it is judged on"),
    ],
)
def test_metrics_that_mean_nothing(reports, moved, change, said):
    other = moved("spoilt", cosine=0.0)
    card = json.loads((other / "scorecard.json").read_text())
    card["models"][0] |= change
    (other / "scorecard.json").write_text(json.dumps(card))
    found = answer(reports / "best", other)
    assert found["answer"] == "worse"
    assert said in found["reasons"][0]
    assert "is no standard to compare with" in refused(other, reports / "best")


BROKEN_REPORTS = {
    "corpus": (put("corpus", "fingerprint", value="f" * 64), "only models gated on one corpus"),
    "no corpus": (put("corpus", "fingerprint", value=None), "no corpus fingerprint"),
    "published": (put("profile", value="5cat-published"), "counts offsets and ranks otherwise"),
    "profile": (put("profile", value="skill"), "has profile 5cat and"),
    "version": (put("profile_version", value=99), "gate both models by the same"),
    "rule": (put("require", value="production"), "has require strict and"),
    "task": (put("task", value="decoding"), "has task frontier and"),
    "limit": (put("thresholds", 0, "limits", "VAL", value=0.1), "have other limits for A"),
    "missing gate": (lambda card: card["thresholds"].pop(), "have other limits for E"),
    "deselected": (put("models", 0, "not_run", value=["D"]), "D did not run for control:linear"),
    "control": (put("controls", 0, "misbehaved", value=["passes gate A"]), "failed its check"),
    "audit": (put("audits", 0, "blocks", value=True), "data audit"),
    "no model": (put("models", value=[]), "holds 0 models"),
    "no card": (put("models", 0, value={}), "incomplete or damaged"),
}


@pytest.mark.parametrize("what", BROKEN_REPORTS)
def test_a_gate_that_broke_is_no_answer(reports, altered, what):
    change, said = BROKEN_REPORTS[what]
    other = altered("ridge", change)
    done = compare(reports / "best", other, "--json")
    assert said in sentence(done, BROKEN)
    assert json.loads(done.stdout)["answer"] == "broken"
    assert compare(other, reports / "best").exit_code == BROKEN


def test_other_windows(reports, altered):
    assert "judged on other VAL windows (60 and 80" in refused(
        reports / "best", reports / "pair", "--model-b", "control:bayes"
    )
    other = altered("ridge")
    with np.load(other / "samples.npz") as stored:
        arrays = {key: stored[key] + 1000 if key == "OOD/chunk" else stored[key] for key in stored}
    np.savez(other / "samples.npz", **arrays)
    assert "judged on other OOD windows (60 and 60, 0 in common)" in refused(reports / "best", other)


def test_a_metric_that_is_missing(reports, altered, policy):
    other = altered("ridge")
    with np.load(other / "samples.npz") as stored:
        arrays = {k: stored[k][:, :1] if k.endswith("/rollout") else stored[k] for k in stored}
    arrays["VAL/control:linear/pool_size"] = arrays["VAL/control:linear/pool_size"] + 1
    np.savez(other / "samples.npz", **arrays)
    for metric in ("rollout", "MRR_global"):
        file = policy(**{"cosine": ("critical", 0.5), metric: ("supporting", 0.5)})
        assert f"{metric.replace('_', ' ')} is missing on VAL" in refused(reports / "best", other, "--policy", file)
    file = policy(verdict="advisory", cosine=("critical", 0.9), rollout=("advisory", 0.5))
    assert compare(reports / "best", other, "--policy", file).exit_code == NOT_WORSE


def test_an_accepted_model_without_a_value(reports):
    best = reports / "best"
    assert "of the accepted model is not defined" in refused(
        best, best, "--model-a", "control:nan", "--model-b", "control:oracle"
    )
    found = answer(best, best, "--model-a", "control:oracle", "--model-b", "control:nan")
    assert found["answer"] == "worse"
    assert by_metric(found, "cosine")["VAL"]["note"] == "the candidate's is not defined"


def test_what_cannot_be_read(reports, altered, tmp_path):
    best, other = reports / "best", altered("ridge")
    samples = other / "samples.npz"
    whole = samples.read_bytes()
    # Damaged inside, where only the decompression notices.
    samples.write_bytes(whole[:200] + bytes(100) + whole[300:])
    assert "cannot be read" in refused(best, other)
    samples.write_bytes(whole[:1000])
    assert "not a readable NPZ" in refused(best, other)
    samples.unlink()
    assert "is missing" in refused(best, other)
    shutil.copy(reports / "pair" / "samples.npz", samples)
    for command in (["show", other], ["leaderboard", other]):
        done = CliRunner().invoke(main, list(map(str, command)))
        assert "scorecard.json and samples.npz are of two reports" in sentence(done)
    assert "scorecard.json and samples.npz are of two reports" in refused(best, other)
    renamed = altered("ridge", put("models", 0, "name", value="mine.pt"), new="renamed")
    assert "does not hold VAL/mine.pt/cosine" in refused(best, renamed)
    assert "no such report" in refused(best, tmp_path / "nothing")
    assert "policy cannot be read" in refused(best, reports / "ridge", "--policy", tmp_path / "nothing.toml")


def test_samples_with_pickles_are_refused(reports, altered):
    other = altered("ridge")
    with np.load(other / "samples.npz") as stored:
        arrays = dict(stored)
    arrays["VAL/article"] = arrays["VAL/article"].astype(object)
    np.savez(other / "samples.npz", allow_pickle=True, **arrays)
    assert "cannot be read" in refused(reports / "best", other)


def test_which_model_is_meant(reports):
    best = reports / "best"
    assert "is named on both sides" in refused(best, best)
    assert "holds 2 models; name one with --model-b: control:ewma-0.5" in refused(best, reports / "pair")
    assert "did you mean 'control:linear'?" in refused(best, reports / "ridge", "--model-a", "control:linaer")


def test_an_error_of_use_is_no_answer(reports):
    for wrong in (["--no-such-option"], ["--json", "--markdown"], ["--split", "TEST"]):
        assert compare(reports / "best", reports / "ridge", *wrong).exit_code == MISUSED
    assert compare(reports / "best").exit_code == MISUSED


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 2), (ZeroDivisionError, BROKEN), (OSError, BROKEN)])
def test_whatever_else_happens_is_no_answer_either(reports, monkeypatch, error, status):
    def fail(*_):
        raise error()

    monkeypatch.setattr(comparing, "compare_given", fail)
    assert compare(reports / "best", reports / "ridge").exit_code == status


def test_markdown_and_junit(reports, tmp_path):
    file = tmp_path / "new" / "compare.xml"
    best = reports / "best"
    done = compare(best, reports / "ridge", "--model-b", "control:random", "--markdown", "--junit", file)
    assert done.exit_code == WORSE
    assert done.output.startswith("**WORSE**: candidate control:random")
    rows = [line for line in done.output.splitlines() if line.startswith("| critical | cosine |")]
    assert len(rows) == 2
    suite = ElementTree.parse(file).getroot()  # noqa: S314 - written a line above
    cases = {case.get("name"): case for case in suite}
    assert len(cases) == int(suite.get("tests")) == 22
    assert cases["cosine VAL"].find("failure").get("message").endswith(": worse")
    assert cases["R@1 global VAL"].find("failure") is None  # advisory
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
    broken = compare(reports / "best", tmp_path / "nothing", "--markdown")
    assert broken.exit_code == BROKEN
    assert broken.stdout.startswith("**BROKEN**")


def test_names_cannot_speak_markdown(reports, altered):
    name = "<img src=x> @everybody [a](http://b) |"
    other = altered("ridge", put("controls", 0, "name", value=name))
    with np.load(other / "samples.npz") as stored:
        arrays = {key: stored[key] for key in stored}
    arrays |= {k.replace("control:linear", name): v for k, v in arrays.items() if "control:linear" in k}
    np.savez(other / "samples.npz", **arrays)
    said = compare(reports / "best", other, "--model-b", name, "--markdown").output
    assert [part for part in ("<img", " @everybody", "[a](") if part in said] == []
    assert "everybody" in said


def test_lvm_gate_compare_is_the_same_command(reports):
    given = ["compare", str(reports / "best"), str(reports / "ridge"), "--json"]
    ours, theirs = (CliRunner().invoke(program, given) for program in (lvm_gate, main))
    assert (ours.exit_code, ours.output) == (theirs.exit_code, theirs.output)
    assert ours.exit_code == UNDECIDED
    assert "lvm-gate compare" in CliRunner().invoke(lvm_gate, ["compare", "--help"]).output


# where the accepted report is


def test_the_last_release_is_the_newest_that_is_released(reports, altered, tmp_path):
    def version(created, verdict):
        def change(card):
            card["created"] = created
            card["models"][0]["verdict"] = verdict

        return change

    for name, created, verdict in (("1", "2025-01", "release"), ("2", "2025-02", "release"), ("3", "2025-03", "hold")):
        altered("best", version(created, verdict), new=f"releases/v{name}/report")
    found = answer(f"last:{tmp_path / 'releases'}", reports / "ridge")
    assert found["accepted"]["report"] == str(tmp_path / "releases" / "v2" / "report")
    shutil.rmtree(tmp_path / "releases" / "v1")
    shutil.rmtree(tmp_path / "releases" / "v2")
    assert "holds 1 reports and no release" in refused(f"last:{tmp_path / 'releases'}", reports / "ridge")
    assert "no such folder" in refused(f"last:{tmp_path / 'none'}", reports / "ridge")


def test_a_branch_is_read_and_never_checked_out(reports, tmp_path, monkeypatch):
    here = tmp_path / "theirs"
    shutil.copytree(reports / "best", here / "reports" / "accepted")
    (here / "policy.toml").write_text('[[metric]]\nmetric = "cosine"\ntier = "critical"\nmargin = 1.9\n')
    author = ["-c", "user.name=they", "-c", "user.email=they@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*author, "commit", "-q", "-m", "Accepted"]):
        subprocess.run(["git", *words], cwd=here, check=True)
    # What a pull request does to its own tree changes nothing.
    shutil.rmtree(here / "reports")
    (here / "policy.toml").unlink()
    monkeypatch.chdir(here)
    found = answer("git:main:reports/accepted", reports / "ridge", "--policy", "git:main:policy.toml")
    assert found["accepted"]["report"] == "git:main:reports/accepted"
    assert found["policy"] == "git:main:policy.toml"
    assert found["answer"] == "not worse"
    assert sorted(path.name for path in here.iterdir()) == [".git"]
    assert "git has no such file" in refused("git:other:reports/accepted", reports / "ridge")
    assert "is not git:REVISION:PATH" in refused("git:--help:x", reports / "ridge")
    (here / "samples.npz").write_text("version https://git-lfs.github.com/spec/v1\n")
    (here / "scorecard.json").write_text((reports / "best" / "scorecard.json").read_text())
    for words in (["add", "."], [*author, "commit", "-q", "-m", "Pointer"]):
        subprocess.run(["git", *words], cwd=here, check=True)
    assert "is a pointer of Git LFS" in refused("git:main:.", reports / "ridge")


def test_help_does_not_wait_for_numpy():
    assert "numpy" not in vars(report_compare)
    assert "Exit status" in compare("--help").output
