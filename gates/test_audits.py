"""The data on trial: chunks, windows and splits are what the figures assume. A failed audit blocks every model."""

import pytest

from harness.run import GateRun


def test_audit(run: GateRun, audit_name: str) -> None:
    found = next(audit for audit in run.audits if audit.name == audit_name)
    if found.status != "pass":
        pytest.fail(f"audit {found.name}: {found.status}; {found.detail}", pytrace=False)
