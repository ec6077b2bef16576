"""`lvm-ci`: what it ends with and what it writes, whatever the gate and the comparison say."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner

from lvm_gates.gates.pipeline import steps
from lvm_gates.gates.pipeline.command import main
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.results.comparison import EXIT, Comparison

sys.path.append(str(Path(__file__).resolve().parents[1] / "harness"))
from scorecard_sample import card, scorecard

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, and no CI around it."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def gate(monkeypatch):
    """gate(status, verdict): what `lvm-gate` ends with, and the verdict of its report; None for none."""
    typed = []

    def ends(status, verdict="release"):
        def heard(command):
            typed.append(command)
            (report,) = (word.removeprefix("--report=") for word in command if word.startswith("--report="))
            if verdict is not None:
                made = scorecard([card("m.pt", 0.97, verdict, ["because"])])
                (Path(report) / "scorecard.json").write_text(json.dumps(made))
            return status, ["its last line"]

        monkeypatch.setattr(steps, "heard", heard)
        return typed

    return ends


@pytest.fixture
def comparison(monkeypatch):
    """comparison(answer): what the comparison says."""

    def says(answer):
        def compare(*_):
            if answer == "broken":
                raise UserError("other windows.")
            return Comparison(answer=answer, exit_status=EXIT[answer], reasons=["because"])

        monkeypatch.setattr(steps, "compare_given", compare)

    return says


def lvm_ci(*arguments, **environment):
    return CliRunner().invoke(main, list(arguments), env=environment)


@pytest.mark.parametrize(
    ("gated", "verdict", "answer", "status"),
    [
        (0, "release", None, 0),
        (0, "release", "not worse", 0),
        (0, "release", "worse", 1),
        (0, "release", "undecided", 6),
        (0, "release", "broken", 3),
        (1, "hold", None, 1),
        (1, "blocked", "not worse", 1),  # not released is not released, whatever the accepted model is
        (1, "hold", "broken", 1),
        (0, None, None, 3),  # such as --dry-run
        (0, "hold", "not worse", 3),  # a gate that says one thing and writes another
        (2, None, "not worse", 2),
        (3, None, "not worse", 3),
        (4, None, "not worse", 4),
        (5, None, "not worse", 5),
        (-9, None, "not worse", 3),  # killed
    ],
)
def test_how_it_ends(here, gate, comparison, gated, verdict, answer, status):
    gate(gated, verdict)
    comparison(answer)
    accepted = ["--accepted=accepted"] if answer else []
    done = lvm_ci("m.pt", *accepted)
    assert done.exit_code == status, done.output
    assert f"(exit {status})" in (here / "lvm-gates" / "comment.md").read_text()
    badge = here / "lvm-gates" / "badge.json"
    assert badge.is_file() == (verdict is not None)
    if verdict:
        assert json.loads(badge.read_text())["message"] == {"release": "released"}.get(verdict, verdict)


def test_undecided_may_be_let_through(here, gate, comparison):
    gate(0)
    comparison("undecided")
    assert lvm_ci("m.pt", "--accepted=a", "--accept-undecided").exit_code == 0
    assert "let through by --accept-undecided" in (here / "lvm-gates" / "comment.md").read_text()
    comparison("worse")
    assert lvm_ci("m.pt", "--accepted=a", "--accept-undecided").exit_code == 1
    comparison("broken")
    assert lvm_ci("m.pt", "--accepted=a", "--accept-undecided").exit_code == 3


def test_nothing_of_an_earlier_run_is_left(here, gate, comparison):
    gate(0)
    comparison("not worse")
    assert lvm_ci("m.pt", "--accepted=a").exit_code == 0
    gate(4, None)  # stopped before it could withdraw anything
    assert lvm_ci("m.pt").exit_code == 4
    left = {path.name for path in (here / "lvm-gates").rglob("*") if path.is_file()}
    assert left == {"comment.md", "scorecard.json.withdrawn"}


def test_what_lvm_gate_is_asked(here, gate):
    typed = gate(0)
    assert lvm_ci("--out=o", "-m.pt", "--", "--corpus=my corpus", "--report=elsewhere").exit_code == 4  # no such option
    assert lvm_ci("--out=o", "m.pt", "--", "--corpus=my corpus", "-q").exit_code == 0
    words = typed[-1][typed[-1].index("lvm_gates.gates.command") + 1 :]
    assert words == ["--corpus=my corpus", "-q", "--report=o/report", "--junit-xml=o/gate.xml", "--", "m.pt"]


def test_everything_can_be_given_as_variables(here, gate, comparison):
    typed = gate(0)
    comparison("undecided")
    given = {"LVM_MODEL": "m.pt", "LVM_OPTIONS": "--corpus=c -q", "LVM_ACCEPTED": "a", "LVM_OUT": "o", "LVM_NAME": "n"}
    assert lvm_ci(**given, LVM_ACCEPT_UNDECIDED="true").exit_code == 0
    assert lvm_ci(**given, LVM_ACCEPT_UNDECIDED="false").exit_code == 6
    assert typed[-1][-6:-3] == ["--corpus=c", "-q", "--report=o/report"]
    assert (here / "o" / "comment.md").read_text().startswith('<!-- lvm-gates: "n" -->\n')
    # What a platform leaves empty is not given.
    assert lvm_ci(**given | {"LVM_ACCEPTED": "", "LVM_POLICY": "", "LVM_ACCEPT_UNDECIDED": ""}).exit_code == 0


def test_what_is_written(here, gate, comparison, monkeypatch):
    gate(0)
    comparison("broken")
    lvm_ci("a|b<img>.pt", "--accepted=a", "--name=x-->y")
    out = here / "lvm-gates"
    assert json.loads((out / "compare.json").read_text())["reasons"] == ["other windows."]
    suite = ElementTree.parse(out / "compare.xml").getroot()  # noqa: S314 - written a line above
    assert (suite.get("errors"), suite.find("testcase/error").get("message")) == ("1", "other windows.")
    svg = ElementTree.parse(out / "badge.svg").getroot()  # noqa: S314
    assert svg.get("aria-label") == "lvm-gates: released"
    comment = (out / "comment.md").read_text()
    assert "<img>" not in comment
    assert comment.count("-->") == 1
    assert "**BROKEN**" in comment


def test_where_there_is_no_report_the_comment_says_what_was_printed(here, gate):
    gate(4, None)
    lvm_ci("m.pt")
    comment = (here / "lvm-gates" / "comment.md").read_text()
    assert "No report: " in comment
    assert "\n    its last line\n" in comment


def test_what_is_printed_passes_through(capfd):
    code = "import sys; print(*range(30), sep=chr(10)); print('\\x1b[2J\\n```', file=sys.stderr); sys.exit(6)"
    status, last = steps.heard([sys.executable, "-c", code])
    assert (status, len(last)) == (6, 20)
    assert capfd.readouterr().out.startswith("0\n1\n")
    assert "\\x1b[2J" in last


def test_a_model_is_not_given_the_token_that_comments_are_written_with(monkeypatch):
    for name in ("GITHUB_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "HF_TOKEN"):
        monkeypatch.setenv(name, "secret")
    code = "import os; print(*(name for name in os.environ if name.endswith('_TOKEN')))"
    assert steps.heard([sys.executable, "-c", code]) == (0, ["HF_TOKEN"])


def test_a_folder_that_cannot_be_written(here, gate):
    gate(0)
    (here / "file").write_text("")
    done = lvm_ci("m.pt", "--out=file")
    assert done.exit_code == 3
    assert "cannot be made or written" in done.stderr


# the files that are shipped


def test_the_script_runs_what_is_installed_and_ends_as_it_ends(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$2" = -c ] && exit 0\nprintf "%s\\n" "$@"\nexit 6\n')
    python.chmod(0o755)
    command = ["sh", str(ROOT / "ci" / "pipeline.sh"), "m.pt", "--", "a b"]
    done = subprocess.run(command, env={"PYTHON": str(python)}, capture_output=True, text=True, check=False)
    assert done.returncode == 6, done.stderr
    assert done.stdout.splitlines() == ["-P", "-m", "lvm_gates.gates.pipeline.command", "m.pt", "--", "a b"]


VARIABLES = {name for parameter in main.params for name in [parameter.envvar] if name}
SHIPPED = {path: yaml.safe_load((ROOT / path).read_text()) for path in (
    "action.yml", "ci/gitlab.yml", "examples/ci/github.yml", "examples/ci/gitlab.yml"
)}  # fmt: skip


def test_the_action_passes_on_every_input_and_pastes_none_into_a_script():
    action = SHIPPED["action.yml"]
    (gate,) = (step for step in action["runs"]["steps"] if step.get("id") == "gate")
    ours = {name for name in gate["env"] if name.startswith("LVM_")} - {"LVM_INSTALL"}
    assert ours == VARIABLES - {"LVM_OUT"}
    text = (ROOT / "action.yml").read_text()
    assert all(f"inputs.{name}" in text for name in action["inputs"])
    assert all("${{" not in step.get("run", "") for step in action["runs"]["steps"])
    assert (ROOT / gate["run"].split("/", 1)[1].rstrip('"')).is_file()
    (upload,) = (step for step in action["runs"]["steps"] if "upload-artifact" in step.get("uses", ""))
    assert (upload["if"], upload["with"]["path"]) == ("always()", "lvm-gates/")


def test_the_example_workflow_uses_what_the_action_takes():
    workflow = SHIPPED["examples/ci/github.yml"]
    steps_of = workflow["jobs"]["gate"]["steps"]
    assert steps_of[0]["with"]["fetch-depth"] == 0
    assert set(steps_of[1]["with"]) <= set(SHIPPED["action.yml"]["inputs"])
    assert workflow["permissions"] == {"contents": "read", "pull-requests": "write"}


def test_the_gitlab_template_is_extended_by_its_example():
    template, example = SHIPPED["ci/gitlab.yml"][".lvm-gates"], SHIPPED["examples/ci/gitlab.yml"]
    assert example["include"][0]["file"] == "ci/gitlab.yml"
    assert example["lvm-gates"]["extends"] == ".lvm-gates"
    given = {name for of in (template, example["lvm-gates"]) for name in of["variables"] if name.startswith("LVM_")}
    assert given - {"LVM_INSTALL"} <= VARIABLES
    assert template["script"] == ["lvm-ci"]
    assert template["artifacts"]["when"] == "always"
    assert shutil.which("lvm-ci") or "lvm-ci = " in (ROOT / "pyproject.toml").read_text()
