"""A progress bar while models are evaluated, where somebody watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def reporting(config: pytest.Config) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress callback for `GateRun.prepare`, or None in workers, quiet runs and pipes."""
    if hasattr(config, "workerinput") or config.option.verbose < 0 or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("evaluating", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)
