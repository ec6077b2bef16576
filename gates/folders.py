"""The folders of a session: the one its processes share, and the one it reports into."""

import tempfile
from pathlib import Path

from harness.atomic import remove_abandoned
from harness.errors import UserError
from harness.report.folder import withdraw

_PREFIX = "lvm-gates-"


def session_folder() -> Path:
    """A new folder for observations in the system's temporary folder; those of killed sessions go.

    Raises:
        UserError: it cannot be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        raise UserError(
            f"no folder for temporary files can be made ({error.strerror or error}); free space, or set TMPDIR to a "
            "folder that can be written."
        ) from error
    for left in folder.parent.glob(f"{_PREFIX}*"):
        remove_abandoned(left)
    return folder


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
