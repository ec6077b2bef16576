"""The folder that a session is to report into, before it begins."""

import tempfile
from pathlib import Path

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.results.folder import withdraw


def clear_report_folder(folder: Path) -> None:
    """Make the folder and withdraw the report in it.

    Now, not after an hour of gating; and before a model is loaded, so that no earlier release outlives a crash.

    Raises:
        UserError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        withdraw(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"--report={folder}: cannot be made or written ({error.strerror or error}); give another folder."
        ) from error
