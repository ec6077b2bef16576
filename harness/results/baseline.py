"""Where an accepted report is: a folder, the last release of a folder of reports, or a branch of a git repository.

``last:FOLDER`` is the newest report below FOLDER in which every model is released; ``git:REVISION:PATH`` is read with
`git cat-file` and never checked out, so that what a pull request changes in its own tree cannot change it.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file, is_folder
from lvm_gates.harness.results.folder import SAMPLES, SCORECARD, is_withdrawn
from lvm_gates.harness.results.reading import Report, read_report

LAST, GIT = "last:", "git:"
_LARGEST = 512 << 20
_POINTER = b"version https://git-lfs"
_SECONDS = 60.0


@contextmanager
def opened(given: str) -> Iterator[Report]:
    """The report that is meant; one from git lies in a temporary folder for as long.

    Args:
        given: a path, ``last:FOLDER`` or ``git:REVISION:PATH``.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    if given.startswith(LAST):
        yield last_release(Path(given.removeprefix(LAST)))
    elif given.startswith(GIT):
        path = given.rpartition(":")[2].rstrip("/").removesuffix(f"/{SCORECARD}")
        where = given.rpartition(":")[0]
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for name in (SCORECARD, SAMPLES):
                (folder / name).write_bytes(read_git(f"{where}:{path}/{name}"))
            yield replace(read_report(folder), origin=given)
    else:
        yield read_report(Path(given))


def last_release(folder: Path) -> Report:
    """The newest report below a folder, itself included, in which every model is released.

    Raises:
        UserError: none is, or one there cannot be read.
    """
    found = [read_report(file.parent) for file in scorecards(folder)]
    released = [report for report in found if report.is_released]
    if not released:
        raise UserError(f"{folder}: holds {len(found)} reports and no release; accept a released model's report first.")
    return max(released, key=lambda report: (report.scorecard.created, str(report.path)))


def scorecards(folder: Path) -> list[Path]:
    """Every ``scorecard.json`` in and below a folder, in the order of their paths.

    Raises:
        UserError: no such folder.
    """
    if not is_folder(folder):
        raise UserError(f"{folder}: no such folder; name one that holds reports.")
    return sorted(file for file in folder.rglob(SCORECARD) if is_file(file))


def below(given: Path) -> list[Path]:
    """The reports that are meant: a report itself, or every one below a folder that is none."""
    if not is_folder(given) or is_file(given / SCORECARD) or is_withdrawn(given):
        return [given]
    # A folder that lacks its report says so in the words of `read_report`.
    return [file.parent for file in scorecards(given)] or [given]


def read_git(given: str) -> bytes:
    """A file of a revision.

    Args:
        given: ``git:REVISION:PATH``; the path starts from the top of the repository, or with ``./`` from here.

    Raises:
        UserError: no such revision or file, no repository, or a pointer of Git LFS.
    """
    revision, _, path = given.removeprefix(GIT).partition(":")
    if not revision or not path or revision.startswith("-"):
        raise UserError(f"{given}: is not git:REVISION:PATH, such as git:origin/main:reports/accepted.")
    size = _git(given, "cat-file", "-s", f"{revision}:{path}")
    if int(size) > _LARGEST:
        raise UserError(f"{given}: is larger than {_LARGEST >> 20} MiB; name a report.")
    content = _git(given, "cat-file", "blob", f"{revision}:{path}")
    if content.startswith(_POINTER):
        raise UserError(f"{given}: is a pointer of Git LFS; commit the file itself, or fetch it and name its folder.")
    return content


def _git(given: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"{given}: git cannot be run ({brief(error)}); install it, or name a folder.") from error
    if done.returncode:
        why = brief(done.stderr.decode(errors="replace"))
        raise UserError(f"{given}: git has no such file ({why}); fetch the branch (fetch-depth: 0), or name another.")
    return done.stdout
