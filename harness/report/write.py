"""The report of a session, written."""

from pathlib import Path

from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.report.html import render_html
from lvm_gates.harness.results.folder import write
from lvm_gates.harness.results.model import Scorecard
from lvm_gates.harness.results.scorecard import samples_of


def write_report(scorecard: Scorecard, run: GateRun, folder: Path) -> None:
    """Write ``scorecard.json``, ``samples.npz`` and ``scorecard.html`` into ``folder``, all three or none.

    Raises:
        OSError: they cannot be written.
    """
    write(folder, scorecard, samples_of(run), render_html)
