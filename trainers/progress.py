"""What a run says while it trains: a bar with the current values on a terminal, one line per epoch anywhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import nan

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# Called every few steps with their number and the epoch's running means of loss, cosine and margin over the last frame.
Tick = Callable[[int, float, float, float], None]


@contextmanager
def epoch_bar(console: Console, title: str, steps: int, done: int = 0) -> Iterator[Tick]:
    """A bar over ``steps`` steps of which some are done; silent where the console is no terminal, as in a log file."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.1e} cos {task.fields[cosine]:.3f} vs-last {task.fields[vs_last]:+.3f}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=steps, completed=done, loss=nan, cosine=nan, vs_last=nan)

        def tick(more: int, loss: float, cosine: float, vs_last: float) -> None:
            bar.update(task, advance=more, loss=loss, cosine=cosine, vs_last=vs_last)

        yield tick


def say(console: Console, text: str) -> None:
    """One line, never wrapped, so that logs can be searched."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)
