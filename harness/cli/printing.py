"""What a command prints, for the terminal that there is, or for none."""

import sys
from typing import Protocol, runtime_checkable

import click

from lvm_gates.harness.base.visible import spelled


@runtime_checkable
class Rendered(Protocol):
    """Text of a width, coloured or not."""

    def __call__(self, *, colour: bool, width: int) -> str:
        """The text."""
        ...


def echo_rendered(render: Rendered) -> None:
    """Print what ``render`` makes: in colour and as wide as the terminal, or eighty columns into files and pipes."""
    from lvm_gates.harness.report.layout import available

    terminal = sys.stdout.isatty()
    click.echo(spelled(render(colour=terminal, width=available(terminal)), sys.stdout.encoding), nl=False)
