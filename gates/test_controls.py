"""The gates themselves on trial: each control does what is expected of it, on the windows the models are judged on.

An oracle must pass every gate and degenerate predictors must fail, or no model gets a verdict.
"""

from lvm_gates.gates.judging import fail
from lvm_gates.harness.judging.session import GateRun


def test_control_behaves(run: GateRun, control: str) -> None:
    found = run.conducts[control]
    if found.failed_checks:
        fail(
            f"control:{control} fails its check: not true that it {', that it '.join(found.failed_checks)}.\n"
            "  Next: the gates cannot be trusted on this data; look at the control's own row in the scorecard."
        )
