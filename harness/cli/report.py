"""``lvm-report``: show a report again, compare two models, rank many."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lvm_gates.harness.base.visible import spelled
from lvm_gates.harness.cli.group import SentenceGroup

if TYPE_CHECKING:
    from lvm_gates.harness.report.html import Accepted
    from lvm_gates.harness.report.versus import Pair
    from lvm_gates.harness.results.model import Scorecard
    from lvm_gates.harness.results.reading import Report

_REPORT = click.Path(path_type=Path)


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Read the reports that `pytest gates/ --report=DIR` wrote."""


@main.command()
@click.argument("report", type=_REPORT)
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML scorecard to this file as well.")
@click.option("--accepted", type=_REPORT, help="Report of the model in use, to lay the models of REPORT over.")
@click.option("--accepted-model", help="Model of that report, or control:NAME [default: the only one].")
def show(report: Path, html: Path | None, accepted: Path | None, accepted_model: str | None) -> None:
    """Print a scorecard.

    REPORT is a report folder or a scorecard.json. With --accepted, the paired differences to that model follow, and the
    HTML scorecard draws it beside each model.
    """
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.report.terminal import render_terminal
    from lvm_gates.harness.results.reading import choose, read_report

    if accepted is None and accepted_model is not None:
        raise UserError("--accepted-model: is of the report that --accepted names; name that as well.")
    found, pairs = read_report(report), []
    _print(partial(render_terminal, found.scorecard))
    if accepted is not None:
        other = read_report(accepted)
        chosen = choose(other, accepted_model, "--accepted-model")
        pairs = [_pair(other, chosen, found, model, ("VAL", "OOD")) for model in found.models]
        for pair in pairs:
            click.echo()
            _print(partial(_versus, pair))
    if html is not None:
        _write_html(found.scorecard, html, _beside(other, chosen, pairs) if pairs else None)
        click.echo(f"written: {html}")


@main.command()
@click.argument("report_a", type=_REPORT)
@click.argument("report_b", type=_REPORT)
@click.option("--model-a", help="Model of REPORT_A, or control:NAME [default: the only one].")
@click.option("--model-b", help="Model of REPORT_B, or control:NAME [default: the only one].")
@click.option(
    "--split",
    "splits",
    metavar="VAL|OOD",
    multiple=True,
    type=click.Choice(["VAL", "OOD"], case_sensitive=False),
    help="May be repeated [default: both].",
)
def compare(report_a: Path, report_b: Path, model_a: str | None, model_b: str | None, splits: tuple[str, ...]) -> None:
    """Compare two models window by window.

    Prints paired differences, REPORT_B minus REPORT_A, with intervals clustered by article.
    """
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.results.reading import check_comparable, choose, read_report

    a, b = read_report(report_a), read_report(report_b)
    check_comparable(a, b)
    first, second = choose(a, model_a, "--model-a"), choose(b, model_b, "--model-b")
    if (a.path.resolve(), first) == (b.path.resolve(), second):
        raise UserError(f"{first}: is named on both sides; name another report, or another model with --model-b.")
    _print(partial(_versus, _pair(a, first, b, second, splits or ("VAL", "OOD"))))


def _pair(a: "Report", first: str, b: "Report", second: str, splits: Sequence[str]) -> "Pair":
    """Every paired difference, ``second`` minus ``first``."""
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.report.versus import Pair
    from lvm_gates.harness.results.paired import compare as compare_windows
    from lvm_gates.harness.results.reading import check_comparable, read_samples

    check_comparable(a, b)
    by_split = {}
    for split in dict.fromkeys(splits):
        found = compare_windows(read_samples(a, first, split), read_samples(b, second, split))
        if not found.windows:
            raise UserError(
                f"{a.label} and {b.label}: no {split} window in common; gate both models with the same --seed and "
                "--max-samples."
            )
        by_split[split] = found
    corpus = f"{a.scorecard.corpus.path}, fingerprint {str(a.fingerprint)[:12]}"
    return Pair((first, a.label), (second, b.label), corpus, by_split)


def _versus(pair: "Pair", *, colour: bool, width: int) -> str:
    from lvm_gates.harness.report.versus import render_versus

    return render_versus(pair, colour=colour, width=width)


def _print(render: Callable[..., str]) -> None:
    """Print what ``render`` makes for the terminal that there is, or for none."""
    from lvm_gates.harness.report.layout import available

    terminal = sys.stdout.isatty()
    click.echo(spelled(render(colour=terminal, width=available(terminal)), sys.stdout.encoding), nl=False)


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
    if markdown:
        click.echo(spelled(render_markdown(tables), sys.stdout.encoding), nl=False)
    else:
        _print(partial(render_terminal, tables))


@main.command()
def schema() -> None:
    """Print the JSON Schema of scorecard.json."""
    from lvm_gates.harness.results.schema import schema_text

    click.echo(schema_text(), nl=False)


def _beside(other: "Report", chosen: str, pairs: "Sequence[Pair]") -> "Accepted":
    from lvm_gates.harness.report.html import Accepted

    cards = (*other.scorecard.models, *other.scorecard.controls)
    card = next(card for card in cards if card.name == chosen)
    return Accepted(card, {pair.second[0]: pair.by_split for pair in pairs})


def _write_html(scorecard: "Scorecard", file: Path, accepted: "Accepted | None" = None) -> None:
    from lvm_gates.harness.base.atomic import atomic_write
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.report.html import render_html

    page = render_html(scorecard, accepted).encode()
    try:
        with atomic_write(file) as stream:
            stream.write(page)
    except OSError as error:
        raise UserError(f"--html {file}: cannot be written ({error.strerror}); name another file.") from error


if __name__ == "__main__":
    main(prog_name="lvm-report")
