"""`lvm-report` as typed, on real reports."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import astuple
from spoken import sentence

from lvm_gates.harness.base.estimate import paired_difference
from lvm_gates.harness.cli.report import main
from lvm_gates.harness.report.terminal import render_terminal
from lvm_gates.harness.results.model import Scorecard

ROOT = Path(__file__).parents[3]


def lvm_report(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def narrow(text):
    return max(map(len, text.splitlines())) <= 80


def cells(output, metric):
    """Rows of the comparison that start with ``metric``, as their fields."""
    pattern = rf"^{re.escape(metric)} +(\S+) +(\S+) +(\S+) \[(\S+), (\S+)\] +(\S+) +(\S+) *(\S*)$"
    return re.findall(pattern, output, flags=re.MULTILINE)


@pytest.fixture
def altered(reports, tmp_path):
    """altered(name, change, new=...): a copy of a report whose scorecard went through ``change``."""

    def make(name, change=lambda card: None, new="altered"):
        folder = tmp_path / new
        shutil.copytree(reports / name, folder)
        card = json.loads((folder / "scorecard.json").read_text())
        change(card)
        (folder / "scorecard.json").write_text(json.dumps(card))
        return folder

    return make


def put(*keys, value):
    """A change that sets one entry of a scorecard."""

    def change(card):
        for key in keys[:-1]:
            card = card[key]
        card[keys[-1]] = value

    return change


def test_help_does_not_wait_for_torch():
    code = "import sys, lvm_gates.harness.cli.report; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# show


@pytest.mark.parametrize("given", ["best", "best/scorecard.json"])
def test_show(reports, given):
    result = lvm_report("show", reports / given)
    assert result.exit_code == 0, result.output
    card = json.loads((reports / "best" / "scorecard.json").read_text())
    assert result.output == render_terminal(msgspec.convert(card, Scorecard), colour=False)
    assert narrow(result.output)


def test_show_has_colour_in_a_terminal(reports):
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "lvm_gates.harness.cli.report", "show", str(reports / "best")]
    code = f"import sys; sys.argv = {command[2:]!r}; from lvm_gates.harness.cli.report import main; main()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=terminal) as running:
        os.close(terminal)
        shown = b""
        try:
            while block := os.read(master, 65536):
                shown += block
        except OSError:  # Linux says so when the other end is closed
            pass
    os.close(master)
    assert running.returncode == 0
    assert b"\x1b[" in shown


def test_show_writes_the_page_again(reports, tmp_path):
    page = tmp_path / "new" / "page.html"
    result = lvm_report("show", reports / "best", "--html", page)
    assert result.exit_code == 0, result.output
    assert page.read_bytes() == (reports / "best" / "scorecard.html").read_bytes()
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]


def test_show_over_the_accepted_model(reports, tmp_path):
    page = tmp_path / "page.html"
    result = lvm_report("show", reports / "best", "--accepted", reports / "ridge", "--html", page)
    assert result.exit_code == 0, result.output
    assert narrow(result.output.partition("\nwritten: ")[0])
    compared = lvm_report("compare", reports / "ridge", reports / "best").output
    assert compared in result.output
    html = page.read_text()
    assert "Against the accepted model control:linear" in html
    (row,) = cells(compared.split("OOD:")[0], "cosine")
    assert row[0].lstrip(".") in html


def test_show_says_what_is_wrong_with_an_accepted_model(reports, altered):
    best = reports / "best"
    assert "name that as well" in sentence(lvm_report("show", best, "--accepted-model", "control:ewma"))
    unknown = lvm_report("show", best, "--accepted", best, "--accepted-model", "control:no")
    assert "--accepted-model control:no: not in" in unknown.stderr
    other = altered("ridge", put("corpus", "fingerprint", value="ab"))
    assert "only models gated on one corpus" in lvm_report("show", best, "--accepted", other).stderr


def test_show_says_where_the_page_cannot_go(reports, tmp_path):
    assert "cannot be written" in sentence(lvm_report("show", reports / "best", "--html", tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no scorecard.json in that folder"),
        ("{", "cannot be read as JSON"),
        ("[1]", "is not a scorecard"),
        ("{}", "is not a scorecard"),
        ('{"schema_version": 2}', "schema version 2 is not 1"),
        ('{"schema_version": 1}', "incomplete or damaged (it has no 'profile')"),
        (
            '{"schema_version": 1, "profile": "", "require": "", "models": {}, "controls": []}',
            "models: expected array, got object",
        ),
        (
            '{"schema_version": 1, "profile": "", "require": "", "models": [3], "controls": []}',
            "models/0: expected object, got int",
        ),
    ],
)
@pytest.mark.parametrize("command", [["show"], ["leaderboard"]])
def test_a_report_that_is_none(tmp_path, content, said, command):
    if content is not None:
        (tmp_path / "scorecard.json").write_text(content)
    found = sentence(lvm_report(*command, tmp_path))
    assert said in found
    assert str(tmp_path) in found


def test_no_such_report(tmp_path):
    assert "no such report" in sentence(lvm_report("show", tmp_path / "nothing"))


# compare


def test_compare_is_the_paired_difference_of_the_samples(reports):
    result = lvm_report("compare", reports / "best", reports / "ridge")
    assert result.exit_code == 0, result.output
    assert narrow(result.output)
    with np.load(reports / "best" / "samples.npz") as a, np.load(reports / "ridge" / "samples.npz") as b:
        for row, split in zip(cells(result.output, "cosine"), ("VAL", "OOD"), strict=True):
            expected = paired_difference(
                b[f"{split}/control:linear/cosine"], a[f"{split}/control:bayes/cosine"], a[f"{split}/article"]
            )
            assert [float(field) for field in row[2:5]] == pytest.approx(astuple(expected)[:3], abs=5e-4)
            assert row[5] == str(expected.n)
            assert (row[7] != "") == (expected.high < 0)
            assert expected.value < 0  # nothing beats the optimum


def test_compare_marks_what_survives_the_correction(reports):
    result = lvm_report("compare", reports / "best", reports / "ridge", "--model-b", "control:random")
    assert [row[7] for row in cells(result.output, "cosine")] == ["*", "*"]


def test_compare_the_other_way_round_changes_the_sign(reports):
    there = cells(lvm_report("compare", reports / "best", reports / "ridge").output, "reverse")
    back = cells(lvm_report("compare", reports / "ridge", reports / "best").output, "reverse")
    for one, other in zip(there, back, strict=True):
        assert (one[0], one[1]) == (other[1], other[0])
        assert float(one[2]) == -float(other[2])
        assert one[6:] == other[6:]


def test_compare_names_all_metrics_and_explains_its_marks(reports):
    result = lvm_report("compare", reports / "best", reports / "ridge", "--split", "val")
    assert "OOD:" not in result.output
    for metric in ("cosine", "c(+1) - c(0)", "MRR global", "R@1 article", "MRR novel", "shuffle", "rollout"):
        assert len(cells(result.output, metric)) == 1, metric
    text = " ".join(result.output.split())
    assert "Holm's correction for the 11 metrics" in text
    assert "minimum detectable effect; a true difference of that size is found four times in five" in text


def test_compare_of_two_samples_counts_the_common_windows(reports):
    result = lvm_report("compare", reports / "best", reports / "pair", "--model-b", "control:bayes")
    assert result.exit_code == 0, result.output
    with np.load(reports / "best" / "samples.npz") as a, np.load(reports / "pair" / "samples.npz") as b:
        for split in ("VAL", "OOD"):
            one, other = ({*zip(z[f"{split}/article"], z[f"{split}/chunk"], strict=True)} for z in (a, b))
            assert 0 < len(one & other) < 60
            wanted = f"{split}: {len(one & other)} windows in common, of 60 of A and 80 of B;"
            assert wanted in result.output
    # One predictor in two reports: nothing but the shuffles, drawn with another seed, can differ.
    for row in cells(result.output, "cosine"):
        assert row[2:5] == (".000", ".000", ".000")
        assert row[7] == ""


def test_controls_can_be_compared_within_one_report(reports):
    best = reports / "best"
    result = lvm_report("compare", best, best, "--model-a", "control:oracle", "--model-b", "control:nan")
    assert result.exit_code == 0, result.output
    assert re.search(r"^cosine +1.000 +undefined +undefined ", result.output, flags=re.MULTILINE)
    assert cells(result.output, "MRR novel")[0][0] == "1.000"


def test_compare_a_model_with_itself(reports):
    assert "is named on both sides" in sentence(lvm_report("compare", reports / "best", reports / "best"))


def test_compare_asks_which_of_two_models(reports):
    found = sentence(lvm_report("compare", reports / "best", reports / "pair"))
    assert "holds 2 models; name one with --model-b: control:ewma-0.5, control:context-mean" in found


def test_compare_suggests_a_name(reports):
    found = sentence(lvm_report("compare", reports / "best", reports / "ridge", "--model-a", "control:linaer"))
    assert "did you mean 'control:linear'?" in found


def test_compare_of_two_corpora(reports, altered):
    other = altered("ridge", put("corpus", "fingerprint", value="f" * 64))
    assert "only models gated on one corpus" in sentence(lvm_report("compare", reports / "best", other))
    nameless = altered("ridge", put("corpus", "fingerprint", value=None), new="nameless")
    assert "no corpus fingerprint" in sentence(lvm_report("compare", reports / "best", nameless))


def test_compare_with_the_original_protocol(reports, altered):
    published = altered("ridge", put("profile", value="5cat-published"))
    assert "counts offsets and ranks otherwise" in sentence(lvm_report("compare", reports / "best", published))


def test_compare_without_a_common_window(reports, altered):
    other = altered("ridge")
    with np.load(other / "samples.npz") as stored:
        arrays = {key: stored[key] + 1000 if key == "OOD/chunk" else stored[key] for key in stored}
    np.savez(other / "samples.npz", **arrays)
    assert "no OOD window in common" in sentence(lvm_report("compare", reports / "best", other))
    assert lvm_report("compare", reports / "best", other, "--split", "VAL").exit_code == 0


def test_compare_without_samples(reports, altered):
    other = altered("ridge")
    samples = other / "samples.npz"
    whole = samples.read_bytes()
    # Damaged inside, where only the decompression notices.
    samples.write_bytes(whole[:200] + bytes(100) + whole[300:])
    assert "cannot be read" in sentence(lvm_report("compare", reports / "best", other))
    samples.write_bytes(whole[:1000])
    assert "not a readable NPZ" in sentence(lvm_report("compare", reports / "best", other))
    samples.unlink()
    assert "is missing" in sentence(lvm_report("compare", reports / "best", other))
    shutil.copy(reports / "pair" / "samples.npz", samples)
    for command in (["show", other], ["leaderboard", other], ["compare", reports / "best", other]):
        assert "scorecard.json and samples.npz are of two reports" in sentence(lvm_report(*command))
    renamed = altered("ridge", put("models", 0, "name", value="mine.pt"), new="renamed")
    assert "does not hold VAL/mine.pt/cosine" in sentence(lvm_report("compare", reports / "best", renamed))


def test_samples_with_pickles_are_refused(reports, altered):
    other = altered("ridge")
    with np.load(other / "samples.npz") as stored:
        arrays = dict(stored)
    arrays["VAL/article"] = arrays["VAL/article"].astype(object)
    np.savez(other / "samples.npz", allow_pickle=True, **arrays)
    assert "cannot be read" in sentence(lvm_report("compare", reports / "best", other))


# leaderboard


def board(output):
    """Rows of the models: (name, report, verdict), in order."""
    rows = output.split("─\n")[1].split("\n\n")[0].splitlines()
    return [tuple(row.split()[:3]) for row in rows]


def test_leaderboard_is_ordered_by_the_lower_bound(reports):
    result = lvm_report("leaderboard", reports / "pair", reports / "best", reports / "ridge")
    assert result.exit_code == 0, result.output
    assert narrow(result.output)
    lows = {}
    for name in ("pair", "best", "ridge"):
        for card in json.loads((reports / name / "scorecard.json").read_text())["models"]:
            lows[card["name"]] = card["skill"]["OOD"]["task_figure"]["low"]
    ranked = sorted(lows, key=lows.__getitem__, reverse=True)
    assert [name.split(":")[1] for name in ranked] == [re.split("[:…]", row[0])[1] for row in board(result.output)]
    references = result.output.split("\n\n")[1].splitlines()[:4]
    assert [row.split()[0] for row in references] == ["oracle", "persistence", "linear", "ewma"]


def _skill(low, value, high):
    return put("models", 0, "skill", "OOD", "task_figure", value={"value": value, "low": low, "high": high, "n": 60})


def test_neighbours_whose_intervals_overlap_are_marked(altered):
    paths = [
        altered("ridge", _skill(0.30, 0.40, 0.50), new="one"),
        altered("ridge", _skill(0.10, 0.20, 0.25), new="two"),
        altered("ridge", _skill(0.05, 0.10, 0.12), new="three"),
        altered("ridge", _skill(0.01, 0.03, 0.05), new="four"),  # touches the one above
        altered("ridge", _skill(None, None, None), new="five"),
    ]
    result = lvm_report("leaderboard", *reversed(paths))
    assert [row[1] for row in board(result.output)] == ["5", "4", "~3", "~2", "~1"]
    assert "undefined" in result.output


def test_without_lower_bounds_the_larger_value_comes_first(altered):
    values = {"none": None, "small": 0.1, "large": 0.3}
    paths = [altered("ridge", _skill(None, value, None), new=name) for name, value in values.items()]
    assert [row[1] for row in board(lvm_report("leaderboard", *paths).output)] == ["3", "~2", "~1"]


def test_a_row_shows_each_metric_of_the_split_that_it_names(altered):
    def tell_apart(card):
        model = card["models"][0] | {"name": "m.pt", "verdict": "hold"}
        card["models"] = [model]
        gates = model["gates"]
        for gate in "ABCDE":
            gates[gate]["passed"] = gate in "BE"
        for tenth, split in enumerate(("VAL", "OOD"), start=1):
            metrics = [gates["A"][split]["c"]["1"], gates["B"][split]["novel"]["MRR"], gates["D"][split]["mean"]]
            for i, metric in enumerate([*metrics, model["skill"][split]["task_figure"]]):
                metric |= {"value": tenth / 10 + i / 100, "low": 0.01 * tenth, "high": 0.9}

    output = lvm_report("leaderboard", altered("ridge", tell_apart), "--markdown").output
    assert "| m.pt | 1 | HOLD | .B..E | .100/.200 | .210 | +.230 [+.020, +.900] | .220 |" in output


def test_a_gain_in_cosine_is_never_told_apart_from_one_in_rank(altered):
    gain = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 60}

    def beyond(card):
        card["models"][0]["skill"]["OOD"] |= {"task_figure": gain, "excess_cosine": gain}

    found = lvm_report(
        "leaderboard", altered("ridge", beyond, new="c"), altered("ridge", _skill(0.1, 0.2, 0.3), new="f")
    )
    assert [row[1] for row in board(found.output)] == ["1", "~2"]
    assert "+.900 [+.800, +.950]c" in found.output


def test_each_corpus_has_a_table(reports, altered):
    other = altered("ridge", put("corpus", "fingerprint", value="f" * 64))
    result = lvm_report("leaderboard", reports / "best", other)
    assert result.output.count("verdict gates") == 2
    assert result.output.count("\noracle") == 2
    assert "ffffffffffff" in result.output


def test_each_task_has_a_table(reports, altered):
    result = lvm_report("leaderboard", reports / "best", altered("ridge", put("task", value="decoding")))
    assert re.findall(r", task (\w+)$", result.output, flags=re.MULTILINE) == ["frontier", "decoding"]


def test_corpora_that_nobody_can_identify_share_no_table(altered):
    nameless = [altered("ridge", put("corpus", "fingerprint", value=None), new=name) for name in ("one", "two")]
    said = lvm_report("leaderboard", *nameless).output
    assert said.count("verdict gates") == 2
    assert ", no fingerprint, task" in said


def test_long_names_and_many_reports_fit(altered):
    name = "/home/somebody/experiments/2025-01-01/a-very-long-name-of-a-run/best_model.pt"
    paths = [altered("ridge", put("models", 0, "name", value=name), new=f"report-{i}") for i in range(11)]
    result = lvm_report("leaderboard", *paths)
    assert result.exit_code == 0, result.output
    assert narrow(result.output)
    assert "model.pt" in result.output


def test_markdown(reports, altered):
    odd = altered("ridge", put("models", 0, "name", value="a|b.pt"))
    result = lvm_report("leaderboard", reports / "best", odd, "--markdown")
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 2 + 4
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {10}
    assert "a\\|b.pt" in result.output


def test_leaderboard_without_skill(altered):
    def published(card):
        card["profile"] = "5cat-published"
        for each in [*card["models"], *card["controls"]]:
            each["skill"] = {}

    result = lvm_report("leaderboard", altered("ridge", published))
    assert result.exit_code == 0, result.output
    assert "not computed under this profile" in " ".join(result.output.split())


def test_a_report_given_twice(reports):
    twice = [reports / "best", reports / "best" / "scorecard.json"]
    assert "is given twice" in sentence(lvm_report("leaderboard", *twice))
