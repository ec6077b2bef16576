"""Gate, then compare: in that order, and every file of an earlier run gone before the first of them."""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from lvm_gates.gates.report_folder import clear_report_folder
from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.base.visible import visible
from lvm_gates.harness.report.badge import render_badge
from lvm_gates.harness.report.digest import render_markdown
from lvm_gates.harness.report.junit import comparison_junit
from lvm_gates.harness.report.markdown import markup
from lvm_gates.harness.report.versus import render_versus_markdown
from lvm_gates.harness.results.comparing import compare_given
from lvm_gates.harness.results.comparison import EXIT, Comparison, broken
from lvm_gates.harness.results.reading import Report, read_report

REPORT = "report"
GATE_XML, COMPARE_XML, COMPARE_JSON = "gate.xml", "compare.xml", "compare.json"
COMMENT, BADGES = "comment.md", ("badge.svg", "badge.json")
_BROKE = 3
_LAST_LINES = 20
# What comments are written with: no model needs it, and a model may be code of a pull request.
_TOKENS = ("GITHUB_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN")
_MEANINGS = {
    0: "released",
    1: "refused",
    2: "interrupted",
    3: "the gate itself broke",
    4: "an error of use: nothing was judged",
    5: "no gate was selected",
    6: "undecided whether it is worse than the accepted model",
}


@dataclass(frozen=True)
class Asked:
    """What was typed.

    Attributes:
        model: to gate.
        gate_options: of `lvm-gate`.
        accepted: where the accepted report is; None for no comparison.
        policy: of the comparison; None for the default.
        out: folder of everything that is written.
        accept_undecided: whether an undecided comparison is let through.
    """

    model: str
    gate_options: tuple[str, ...]
    accepted: str | None
    policy: str | None
    out: Path
    accept_undecided: bool


@dataclass(frozen=True)
class Done:
    """How it ended.

    Attributes:
        status: to exit with.
        meaning: in words.
        marker: first line of the comment, by which it is found again.
        comment: Markdown.
    """

    status: int
    meaning: str
    marker: str
    comment: str


def run(asked: Asked, name: str) -> Done:
    """Run both steps and write their files.

    Raises:
        OSError: one cannot be written.
        UserError: nor can the folder.
    """
    out = asked.out
    clear_report_folder(out / REPORT)
    for file in (GATE_XML, COMPARE_XML, COMPARE_JSON, COMMENT, *BADGES):
        (out / file).unlink(missing_ok=True)
    gated, last = _gate(asked)
    report, why = _report(out / REPORT)
    status = gated
    if gated == 0 and (report is None or not report.is_released):
        # Such as --dry-run: it ended well and released nothing.
        status, why = _BROKE, why or "lvm-gate ended with 0, and its report is of no release"
    compared = None
    if asked.accepted is not None and gated in (0, 1):
        compared = _compare(asked, asked.accepted)
        if status == 0 and not (compared.answer == "undecided" and asked.accept_undecided):
            status = compared.exit_status
    if report is not None:
        for file in BADGES:
            _write(out / file, render_badge(report.scorecard, "lvm-gates", out / file))
    meaning = _MEANINGS.get(status, "an error of the session")
    if status == 1 and gated == 0:
        meaning = "worse than the accepted model"
    marker = f"<!-- lvm-gates: {json.dumps(name).replace('--', '- -')} -->"
    if report is None:
        why = "\n\n".join([f"No report: {markup(why)}", *([_quoted(last)] if last else [])])
    parts = [f"### lvm-gates: {markup(asked.model)}: {meaning} (exit {status})", why]
    parts += [render_markdown(report.scorecard)] if report is not None else []
    parts += _beside(asked, compared) if compared is not None else []
    done = Done(status, meaning, marker, "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n")
    _write(out / COMMENT, f"{marker}\n{done.comment}".encode())
    return done


def _gate(asked: Asked) -> tuple[int, list[str]]:
    """Exit status of `lvm-gate` and its last lines; in a process of its own: no model keeps us from speaking."""
    own = [f"--report={asked.out / REPORT}", f"--junit-xml={asked.out / GATE_XML}"]
    # -P: what lies in the working directory is of somebody else and is not imported in place of ours.
    program = [sys.executable, "-P", "-m", "lvm_gates.gates.command"]
    status, last = heard([*program, *asked.gate_options, *own, "--", asked.model])
    return (status if status >= 0 else _BROKE), last


def heard(command: Sequence[str]) -> tuple[int, list[str]]:
    """Run a command whose output passes through; returns its exit status and its last lines."""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    running = subprocess.Popen(  # noqa: S603
        command,
        env={name: value for name, value in os.environ.items() if name not in _TOKENS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
    )
    with running:
        assert running.stdout is not None  # it is a pipe
        for line in running.stdout:
            click.echo(line, nl=False)
            last.append(line.rstrip())
    return running.returncode, [visible(line) for line in last]


def _report(folder: Path) -> tuple[Report | None, str]:
    try:
        return read_report(folder), ""
    except UserError as error:
        return None, str(error)


def _compare(asked: Asked, accepted: str) -> Comparison:
    try:
        found = compare_given(accepted, str(asked.out / REPORT), asked.policy, ("VAL", "OOD"), (None, None))
    except UserError as error:
        found = broken(str(error))
    _write(asked.out / COMPARE_JSON, (json.dumps(jsonable(found), indent=1) + "\n").encode())
    _write(asked.out / COMPARE_XML, comparison_junit(found))
    return found


def _beside(asked: Asked, compared: Comparison) -> list[str]:
    parts = ["#### Beside the accepted model", render_versus_markdown(compared)]
    if compared.exit_status == EXIT["undecided"] and asked.accept_undecided:
        parts.append("Undecided is let through by --accept-undecided.")
    return parts


def _quoted(lines: Sequence[str]) -> str:
    """Lines as they were printed; indented, so that no line of theirs can end the quotation."""
    return "\n".join(f"    {line}" for line in lines)


def _write(file: Path, content: bytes) -> None:
    with atomic_write(file) as stream:
        stream.write(content)
