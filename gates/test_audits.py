"""The data on trial: chunks, windows and splits are what the metrics assume. A failed audit blocks every model.

So does one that a release requires and that could not look. One that only describes the corpus is skipped then, with
the reason: it must not pass.
"""

import pytest

from lvm_gates.gates.judging import fail
from lvm_gates.harness.base.visible import visible
from lvm_gates.harness.judging.session import GateRun


def test_audit(run: GateRun, audit_name: str) -> None:
    found = {audit.name: audit for audit in run.audits}[audit_name]
    outcome = f"audit {found.name}: {found.status}; {found.detail}"
    if found.blocks:
        fail(outcome)
    if found.status != "pass":
        pytest.skip(visible(outcome))
