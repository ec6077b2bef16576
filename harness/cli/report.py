"""``lvm-report``: show a report again, compare two models, rank many."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lvm_gates.harness.base.visible import spelled
from lvm_gates.harness.cli.group import SentenceGroup
from lvm_gates.harness.cli.report_compare import compare

if TYPE_CHECKING:
    from lvm_gates.harness.results.model import Scorecard

_REPORT = click.Path(path_type=Path)


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Read the reports that `pytest gates/ --report=DIR` wrote."""


main.add_command(compare)


@main.command()
@click.argument("report", type=_REPORT)
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML scorecard to this file as well.")
def show(report: Path, html: Path | None) -> None:
    """Print a scorecard.

    REPORT is a report folder or a scorecard.json.
    """
    from lvm_gates.harness.report.terminal import render_terminal
    from lvm_gates.harness.results.reading import read_report

    found = read_report(report)
    click.echo(spelled(render_terminal(found.scorecard, colour=sys.stdout.isatty()), sys.stdout.encoding), nl=False)
    if html is not None:
        _write_html(found.scorecard, html)
        click.echo(f"written: {html}")


@main.command()
@click.argument("reports", nargs=-1, required=True, type=_REPORT)
@click.option("--markdown", is_flag=True, help="Print Markdown tables.")
def leaderboard(reports: tuple[Path, ...], markdown: bool) -> None:
    """Rank the models of REPORTS by skill.

    The order is that of the lower bound of the skill metric on OOD; each corpus has a table of its own.
    """
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.report.leaderboard import boards, render_markdown, render_terminal
    from lvm_gates.harness.results.reading import read_report

    found = [read_report(path) for path in reports]
    paths = [report.path.resolve() for report in found]
    if len(set(paths)) < len(paths):
        twice = next(report for i, report in enumerate(found) if paths[i] in paths[:i])
        raise UserError(f"{twice.label}: is given twice; name each report once.")
    tables = boards(found)
    text = render_markdown(tables) if markdown else render_terminal(tables, colour=sys.stdout.isatty())
    click.echo(spelled(text, sys.stdout.encoding), nl=False)


@main.command()
def schema() -> None:
    """Print the JSON Schema of scorecard.json."""
    from lvm_gates.harness.results.schema import schema_text

    click.echo(schema_text(), nl=False)


def _write_html(scorecard: "Scorecard", file: Path) -> None:
    from lvm_gates.harness.base.atomic import atomic_write
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.report.html import render_html

    page = render_html(scorecard).encode()
    try:
        with atomic_write(file) as stream:
            stream.write(page)
    except OSError as error:
        raise UserError(f"--html {file}: cannot be written ({error.strerror}); name another file.") from error


if __name__ == "__main__":
    main(prog_name="lvm-report")
