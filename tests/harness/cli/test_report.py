"""`lvm-report` as typed, on real reports."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from spoken import put, sentence

from lvm_gates.harness.cli.report import main
from lvm_gates.harness.report.terminal import render_terminal
from lvm_gates.harness.results.model import Scorecard

ROOT = Path(__file__).parents[3]


def lvm_report(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def narrow(text):
    return max(map(len, text.splitlines())) <= 80


def test_help_does_not_wait_for_torch():
    code = "import sys, lvm_gates.harness.cli.report; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# show


@pytest.mark.parametrize("given", ["best", "best/scorecard.json"])
def test_show(reports, given):
    result = lvm_report("show", reports / given)
    assert not result.stderr
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
    assert running.returncode in (0, 1)
    assert b"\x1b[" in shown


def test_show_writes_the_page_again(reports, tmp_path):
    page = tmp_path / "new" / "page.html"
    result = lvm_report("show", reports / "best", "--html", page)
    assert not result.stderr
    assert page.read_bytes() == (reports / "best" / "scorecard.html").read_bytes()
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]


def test_show_over_the_accepted_model(reports, tmp_path):
    page = tmp_path / "page.html"
    result = lvm_report("show", reports / "best", "--accepted", reports / "ridge", "--html", page)
    assert result.exit_code == 1, "as its session did"
    assert narrow(result.output.partition("\nwritten: ")[0])
    compared = lvm_report("compare", reports / "ridge", reports / "best").output
    assert compared in result.output
    html = page.read_text()
    assert "Against the accepted model control:linear" in html
    row = next(line.split() for line in compared.splitlines() if line.strip().startswith("cosine "))
    assert row[1].lstrip(".") in html


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


# compare: tests/harness/cli/test_report_compare.py


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


@pytest.fixture
def alone(altered):
    """The same as `altered` without samples, so that nothing can be paired."""

    def make(*given, **more):
        folder = altered(*given, **more)
        (folder / "samples.npz").unlink()
        return folder

    return make


def test_neighbours_whose_intervals_overlap_are_marked(alone):
    paths = [
        alone("ridge", _skill(0.30, 0.40, 0.50), new="one"),
        alone("ridge", _skill(0.10, 0.20, 0.25), new="two"),
        alone("ridge", _skill(0.05, 0.10, 0.12), new="three"),
        alone("ridge", _skill(0.01, 0.03, 0.05), new="four"),  # touches the one above
        alone("ridge", _skill(None, None, None), new="five"),
    ]
    result = lvm_report("leaderboard", *reversed(paths))
    assert [row[1] for row in board(result.output)] == ["5", "4", "~3", "~2", "~1"]
    assert "undefined" in result.output


def test_without_lower_bounds_the_larger_value_comes_first(alone):
    values = {"none": None, "small": 0.1, "large": 0.3}
    paths = [alone("ridge", _skill(None, value, None), new=name) for name, value in values.items()]
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


def test_long_names_and_many_reports_fit(alone):
    name = "/home/somebody/experiments/2025-01-01/a-very-long-name-of-a-run/best_model.pt"
    paths = [alone("ridge", put("models", 0, "name", value=name), new=f"report-{i}") for i in range(11)]
    result = lvm_report("leaderboard", *paths)
    assert result.exit_code == 0, result.output
    assert narrow(result.output)
    assert "model.pt" in result.output


def test_markdown(reports, altered):
    odd = altered("ridge", put("models", 0, "name", value="a|b.pt"))
    result = lvm_report("leaderboard", reports / "best", odd, "--markdown", "--no-reported")
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
