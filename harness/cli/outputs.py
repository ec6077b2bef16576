"""Where a command may write."""

from pathlib import Path


def require_free(out: Path, overwrite: bool) -> None:
    """Refuse to replace what is there, unless asked to.

    Raises:
        UserError: a file or a folder with something in it.
    """
    from lvm_gates.harness.base.errors import UserError

    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is not empty; choose another --out or give --overwrite.")
