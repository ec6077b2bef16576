"""Which required gates ran, and how they ended; the part of the session that notices what is missing."""

from collections.abc import Iterable

import pytest

from lvm_gates.gates.wire import read_gate_property
from lvm_gates.harness.corpus.splits import JUDGED


class Outcomes:
    """Gathers the outcome of every gate test, in the process that reports (workers send theirs)."""

    def __init__(self) -> None:
        self.by_gate: dict[tuple[str, str, str], str] = {}
        self.broken = False
        """A gate could not even be set up: there may be no observations to make a scorecard from."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name != "lvm_gate":
                continue
            key = read_gate_property(value)
            if report.when == "call":
                # A tolerated gate is an expected failure: it ran, it failed, and the release rule allows it.
                tolerated = report.skipped and hasattr(report, "wasxfail")
                self.by_gate[key] = "tolerated" if tolerated else report.outcome
            elif report.outcome != "passed":
                self.by_gate.setdefault(key, report.outcome)
                self.broken |= report.failed

    def missing(self, models: Iterable[str], gates: Iterable[str]) -> dict[str, list[str]]:
        """Model -> gates of the profile that did not run on every split (deselected, skipped, never reached)."""
        ran: dict[tuple[str, str], set[str]] = {}
        for (model, gate, split), outcome in self.by_gate.items():
            if outcome != "skipped":
                ran.setdefault((model, gate), set()).add(split)
        found = {}
        for model in models:
            absent = [g for g in gates if ran.get((model, g)) not in (set(JUDGED), {""})]
            if absent:
                found[model] = absent
        return found
