"""What is printed below everything pytest itself has to say."""

import sys
from collections.abc import Iterator
from typing import Any

from lvm_gates.harness.base.visible import spelled, visible
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.report.layout import available
from lvm_gates.harness.report.terminal import render_terminal
from lvm_gates.harness.results.model import Scorecard


def write_summary(reporter: Any, run: GateRun, scorecard: Scorecard | None, unwritten: str | None) -> None:
    """Print the scorecard, or why there is none.

    Args:
        reporter: pytest's terminal reporter.
        run: what was judged.
        scorecard: None where none could be made.
        unwritten: why the session has no scorecard, or no report.
    """
    config, encoding = reporter.config, getattr(sys.__stdout__, "encoding", None)

    def write_line(text: str) -> None:
        reporter.write_line(spelled(visible(text), encoding))

    if scorecard is None:
        why = unwritten or "no gate could be judged in this session"
        write_line(f"no scorecard: {why}, so nothing is released")
        return
    colour = bool(reporter.isatty or config.option.color == "yes")
    reporter.ensure_newline()
    text = render_terminal(scorecard, colour=colour, width=available(reporter.isatty))
    reporter.write(spelled(text, encoding))
    if not any(config.getoption(option) for option in ("corpus", "articles_npz", "val_npz")):
        for line in _unfamiliar(run):
            write_line(line)
    if unwritten:
        write_line(unwritten)
    elif config.getoption("report"):
        write_line(f"report: {config.getoption('report')}/scorecard.html")


def _unfamiliar(run: GateRun) -> Iterator[str]:
    """A line for each model that is judged on the built-in synthetic dataset because the corpus it records is gone."""
    for named in run.loaded.values():  # controls are trained on nothing
        recorded = (named.identity.provenance or {}).get("corpus") or {}
        if recorded.get("path") and recorded.get("fingerprint") != run.inputs.corpus.fingerprint:
            yield (
                f"{named.name} was trained on {recorded['path']}, which is gone or has changed: it is judged on "
                f"{run.inputs.corpus.path.name}; name a corpus with --corpus"
            )
