"""What a command prints, for the terminal that there is, or for none."""

import sys
from collections.abc import Callable

import click

from lvm_gates.harness.base.visible import spelled


def echo_rendered(render: Callable[..., str]) -> None:
    """Print what ``render(colour=..., width=...)`` makes, in colour and as wide as the terminal that there is."""
    from lvm_gates.harness.report.layout import available

    terminal = sys.stdout.isatty()
    click.echo(spelled(render(colour=terminal, width=available(terminal)), sys.stdout.encoding), nl=False)
