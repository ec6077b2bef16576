"""Terminals of eighty columns and more: tables without frames, and paragraphs that hang under their mark."""

import re
import shutil
from collections.abc import Iterable
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH = 80
# Lines longer than this are hard to read, however wide the terminal is.
_WIDEST = 140
VERDICT_STYLES = {"release": "bold green", "hold": "bold yellow", "blocked": "bold red"}


def available(terminal: bool) -> int:
    """Columns to write: those of the terminal, from `WIDTH` up; `WIDTH` into files and pipes."""
    return min(max(shutil.get_terminal_size().columns, WIDTH), _WIDEST) if terminal else WIDTH


def render(parts: Iterable[RenderableType], *, colour: bool, width: int = WIDTH) -> str:
    """Print ``parts`` one under another.

    Args:
        parts: what rich can print.
        colour: whether to write ANSI colours.
        width: columns of a line.
    """
    # An explicit colour system: rich would otherwise look at TERM and NO_COLOR, and the caller has decided already.
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def table() -> Table:
    """A table whose columns are two blanks apart."""
    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0), header_style="bold")


def bullet(text: str) -> Table:
    """A paragraph after a dash."""
    return hanging("-", text)


def hanging(mark: str, text: str, style: str = "") -> Table:
    """A marked paragraph whose later lines stand under its first word."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, style=style), Text(text, style=style))
    return grid


def fit(name: str, width: int) -> str:
    """The end of a name too long for its column: the end of a path tells models apart, its beginning does not."""
    if len(name) <= width:
        return name
    tails = [name[match.end() :] for match in re.finditer(r"[/:\\]", name)]
    fitting = next((tail for tail in tails if 0 < len(tail) < width), name)
    return f"…{fitting[1 - width :]}"
