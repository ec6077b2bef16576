"""A report folder: three files of one session under one id, which appear together or not at all.

The id stands in ``scorecard.json``, in ``samples.npz`` and in ``scorecard.html``, so that a mixture of two reports is
seen. A session that is to report into a folder first withdraws the report that is there: whatever ends it, no release
of an earlier session is left to be taken for its own.
"""

import errno
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Shaped

from lvm_gates.harness.base.atomic import appear_together, atomic_write, write_json
from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.files.npz_file import NpzFile
from lvm_gates.harness.results.model import Scorecard

SCORECARD, SAMPLES, PAGE = "scorecard.json", "samples.npz", "scorecard.html"
ID = "report_id"
WITHDRAWN = ".withdrawn"
# scorecard.json last: without it there is no report.
_FILES = (SAMPLES, PAGE, SCORECARD)
_PAGE_ID = re.compile(rb'<meta name="report-id" content="([^"]*)">')
_PAGE_HEAD = 4096
_LARGEST_ID = 4096


def write(
    folder: Path,
    scorecard: Scorecard,
    samples: Mapping[str, Shaped[np.ndarray, "..."]],
    render: Callable[[Scorecard], str],
) -> None:
    """Write the three files under a new id; what was there is replaced, other files stay.

    Args:
        folder: made if absent.
        scorecard: as `harness.results.scorecard.build_scorecard` makes it.
        samples: arrays by name.
        render: makes the page of a scorecard, its id included.

    Raises:
        OSError: a file cannot be written; no report is there then, and the one before is withdrawn at most.
    """
    report_id = uuid.uuid4().hex
    whole = msgspec.structs.replace(scorecard, report_id=report_id)
    with appear_together(folder, _FILES) as temporary:
        with atomic_write(temporary / SAMPLES) as stream:
            np.savez_compressed(stream, allow_pickle=False, **{ID: np.array(report_id)}, **samples)
        with atomic_write(temporary / PAGE) as stream:
            stream.write(render(whole).encode())
        write_json(temporary / SCORECARD, jsonable(whole))
        withdraw(folder)
    for name in _FILES:
        (folder / f"{name}{WITHDRAWN}").unlink(missing_ok=True)


def withdraw(folder: Path) -> None:
    """Set the report of ``folder`` aside, under names that no reader accepts.

    Raises:
        OSError: it cannot be moved, or something else bears its name.
    """
    for name in reversed(_FILES):
        file = folder / name
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory", str(file))
        if file.exists():
            file.replace(folder / f"{name}{WITHDRAWN}")


def is_withdrawn(folder: Path) -> bool:
    """Whether a report was set aside there, and none has taken its place."""
    return is_file(folder / f"{SCORECARD}{WITHDRAWN}") and not is_file(folder / SCORECARD)


def check_one_report(file: Path, scorecard: Scorecard) -> None:
    """Whether ``samples.npz`` and ``scorecard.html`` beside a scorecard are of the same report, as far as they exist.

    Args:
        file: the scorecard's.
        scorecard: what it holds; one of an earlier version has no id, and neither have its samples.

    Raises:
        UserError: they are not, or cannot be read.
    """
    own = scorecard.report_id
    beside = {SAMPLES: _samples_id, PAGE: _page_id}
    for name, read in beside.items():
        other = file.parent / name
        if is_file(other) and (found := read(other)) != own and (own or found):
            ids = f"ids {brief(own)} and {brief(found)}"
            raise UserError(f"{file.parent}: {file.name} and {name} are of two reports ({ids}); gate the model again.")


def _samples_id(file: Path) -> str | None:
    stored = NpzFile.open(file)
    return str(stored.read([ID], _LARGEST_ID)[ID]) if ID in stored.members else None


def _page_id(file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            found = _PAGE_ID.search(stream.read(_PAGE_HEAD))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); gate the model again.") from error
    return found[1].decode(errors="replace") or None if found else None
