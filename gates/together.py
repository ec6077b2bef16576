"""One session over several processes: ``torchrun --nproc-per-node N -m lvm_gates.gates.command MODEL...``.

The first process holds the session of pytest, judges and reports. The others do what it says, a word at a time: open
the same run, help to prepare it, end.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lvm_gates.gates.options import OPTIONS
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.launched import OthersEndedError, ended_elsewhere, speaks
from lvm_gates.harness.base.processes import ranks

if TYPE_CHECKING:
    pass

ENDED = "a process of this session was killed or failed, so nothing is judged and nothing released: start it again"
NOT_BY_ITSELF = (
    "torchrun starts several sessions this way: give it -m lvm_gates.gates.command, which makes one of its processes."
)
_OPEN, _PREPARE, _END = "open", "prepare", "end"
# The first process is the one that people look at; it says what ended the session, if it can.
_FIRST_SPEAKS_SECONDS = 5.0
_ALONE = {
    "numprocesses": "-n: torchrun has started the processes",
    "sequential": "--sequential: draws windows one part after another",
    "dry_run": "--dry-run: asks each model a little",
}


def check_shared(values: Mapping[str, Any]) -> None:
    """Refuse what several processes do not do together.

    Raises:
        UsageError: an option that is for one process.
    """
    for name, why in _ALONE.items():
        if values.get(name):
            raise click.UsageError(f"{why}; leave it out, or leave out torchrun.")
    if values.get("profile") == "5cat-published":
        raise click.UsageError("--profile=5cat-published: reproduces what one process did; leave out torchrun.")


class _Company:
    """The other processes, as far as the first one knows."""

    waiting = True
    """For its next word; not where a block that all go through was left in an unforeseen way."""


@contextmanager
def _all_together(word: str) -> Iterator[None]:
    """A block that the other processes of the session go through too; nothing where there are none.

    Raises:
        OthersEndedError: one of them is gone.
        UserError: what went wrong in any of them.
    """
    if ranks().alone:
        yield
        return
    _Company.waiting = False
    try:
        ranks().from_first(word)
        with ranks().all_or_none():
            yield
        _Company.waiting = True
    except (UserError, OSError):
        _Company.waiting = True
        raise
    except (OthersEndedError, RuntimeError) as error:
        if not ended_elsewhere(error):
            raise
        raise OthersEndedError from error


def opening() -> AbstractContextManager[None]:
    """For the first process, around opening the run."""
    return _all_together(_OPEN)


def preparing() -> AbstractContextManager[None]:
    """For the first process, around preparing it."""
    return _all_together(_PREPARE)


def why_ended() -> str:
    """What the first process says where another one is gone; nothing where it has been said."""
    return ENDED if speaks() else ""


def gate_together(session: Callable[[], int], values: Mapping[str, Any]) -> int:
    """Hold the session, or help the process that does; the exit status.

    Args:
        session: of pytest, for the first process.
        values: of the options, as Click read them.
    """
    if ranks().first:
        status = session()
        if _Company.waiting:
            ranks().from_first(_END)
        return status
    try:
        _help(values)
    except (OthersEndedError, RuntimeError) as error:
        if not ended_elsewhere(error):
            raise
        time.sleep(_FIRST_SPEAKS_SECONDS)
        if speaks():
            click.echo(ENDED, err=True)
        return 1
    return 0


def _help(values: Mapping[str, Any]) -> None:
    from lvm_gates.gates.folder import SessionFolder
    from lvm_gates.gates.session import open_run

    options = {o.dest: o.default if values[o.dest] in (None, (), False) else values[o.dest] for o in OPTIONS}
    folder, run = SessionFolder(), None
    try:
        while (word := ranks().from_first("")) != _END:
            try:
                with ranks().all_or_none():
                    if word == _OPEN:
                        run = open_run(options, folder.path, Path.cwd(), probe=False)
                    elif run is not None:
                        run.prepare()
            except (UserError, OSError):
                pass  # the first process has been told, and says so
    finally:
        if run is not None:
            run.close()
        folder.remove()
