"""What is said while models are evaluated: a bar where somebody watches, a line now and then where nobody does.

pytest captures what is printed during a test or a fixture, and shows it when that is over; this goes past it, and what
models print stays where it was.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Event, Thread
from typing import Any, TextIO

import pytest

from lvm_gates.harness.base.visible import visible

EVERY = 30.0
"""Seconds between two lines in a log: more often than any CI gives up on a silent job."""

Report = Callable[[str, int, int], None]


@contextmanager
def reporting(config: pytest.Config) -> Iterator[Report | None]:
    """A progress callback for `GateRun.prepare`; None in a very quiet session (-qq) and in all workers but one.

    Workers share the work, and each sees what the others have done: the first can speak for all.
    """
    speaker = getattr(config, "workerinput", {}).get("workerid", "gw0") == "gw0"
    stream = _past_capture(config) if speaker and config.option.verbose > -2 else None
    if stream is None:
        yield None
        return
    with stream, _bar(stream) if stream.isatty() else _lines(stream) as report:
        yield report


def _past_capture(config: Any) -> TextIO | None:
    """Standard error as it is outside of pytest, None if there is none."""
    capture = config.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            return os.fdopen(os.dup(2), "w", errors="backslashreplace")
    except OSError:
        return None


@contextmanager
def _bar(stream: TextIO) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    # On a line of its own: pytest has begun one with the name of the file.
    stream.write("\n")
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=stream), transient=True) as progress:
        task = progress.add_task("evaluating", total=None)
        yield lambda what, done, total: progress.update(task, description=visible(what), completed=done, total=total)


@contextmanager
def _lines(stream: TextIO) -> Iterator[Report]:
    begun, over, latest = time.monotonic(), Event(), ["starting"]

    def report(what: str, done: int, total: int) -> None:
        latest[0] = f"{visible(what)}, {done} of {total} steps done"

    def speak() -> None:
        while not over.wait(EVERY):
            stream.write(f"gating: {latest[0]}, {time.monotonic() - begun:.0f} s\n")
            stream.flush()

    thread = Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield report
    finally:
        over.set()
        thread.join()
