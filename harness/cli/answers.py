"""How `compare` ends: its answer is its exit status, and nothing that goes wrong may look like one of the others."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from lvm_gates.harness.base.errors import UserError

NOT_DONE = 3
"""Exit status where the gate itself broke, as of `lvm-gate`."""
MISUSED = 4
INTERRUPTED = 2


class AnsweringCommand(click.Command):
    """A command whose errors of use end with `MISUSED`: Click's own status is that of an interrupted session here."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """See `click.Command`."""
        with _misused():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Command`."""
        with _misused():
            return super().invoke(ctx)


@contextmanager
def _misused() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.exit_code = MISUSED  # type: ignore[misc]  # of this command alone
        raise


def answered(ask: Callable[[], int], refused: Callable[[str], None]) -> int:
    """The exit status of an answer.

    Args:
        ask: gives it.
        refused: told the sentence where there is none.
    """
    try:
        return ask()
    except UserError as error:
        refused(str(error))
    except BrokenPipeError:
        raise  # `| head` has had enough; Click ends quietly
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        refused(f"{where}cannot be written or read ({error.strerror or error}); name another place, or free space.")
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        # A fault of ours would end with 1, which says that the candidate is worse.
        traceback.print_exc(file=sys.stderr)
        refused("an error of the program; please report it with the lines above.")
    return NOT_DONE
