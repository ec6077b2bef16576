"""``lvm-report``: show a report again, compare two models, rank many."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lvm_gates.harness.base.visible import spelled
from lvm_gates.harness.cli.group import SentenceGroup
from lvm_gates.harness.cli.printing import echo_rendered
from lvm_gates.harness.cli.report_bench import bench
from lvm_gates.harness.cli.report_compare import compare

if TYPE_CHECKING:
    from lvm_gates.harness.report.html import Accepted
    from lvm_gates.harness.results.model import Scorecard
    from lvm_gates.harness.results.reading import Report

_REPORT = click.Path(path_type=Path)


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Read the reports that `pytest gates/ --report=DIR` wrote."""


main.add_command(compare)
main.add_command(bench)


@main.command()
@click.argument("report", type=_REPORT)
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML scorecard to this file as well.")
@click.option("--accepted", help="Report of the model in use, to lay the models of REPORT over; as in `compare`.")
@click.option("--accepted-model", help="Model of that report, or control:NAME [default: the only one].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the scorecard as it is read.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.pass_context
def show(
    ctx: click.Context,
    report: Path,
    html: Path | None,
    accepted: str | None,
    accepted_model: str | None,
    as_json: bool,
    markdown: bool,
) -> None:
    """Print a scorecard; ends as its session did.

    REPORT is a report folder or a scorecard.json. With --accepted, the paired differences to that model follow, and the
    HTML scorecard draws it beside each model. The exit status is 0 where every model is released, else 1.
    """
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.report.digest import render_markdown
    from lvm_gates.harness.report.terminal import render_terminal
    from lvm_gates.harness.results.reading import read_report

    _one_form(ctx, as_json, markdown)
    if accepted is None and accepted_model is not None:
        raise UserError("--accepted-model: is of the report that --accepted names; name that as well.")
    found = read_report(report)
    beside = None if accepted is None else _beside(accepted, accepted_model, found)
    if as_json:
        _print_json(found.scorecard)
    elif markdown:
        _print(render_markdown(found.scorecard))
    else:
        echo_rendered(partial(render_terminal, found.scorecard))
        if accepted is not None:
            _print_differences(accepted, accepted_model, report, found.models)
    if html is not None:
        _write_html(found.scorecard, html, beside)
        click.echo(f"written: {html}", err=as_json or markdown)
    ctx.exit(0 if found.is_released else 1)


@main.command()
@click.argument("reports", nargs=-1, required=True, type=_REPORT)
@click.option("--json", "in_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown tables.")
@click.option(
    "--reported/--no-reported", default=True, help="The models of the original documents below [default: on]."
)
@click.pass_context
def leaderboard(ctx: click.Context, reports: tuple[Path, ...], in_json: bool, markdown: bool, reported: bool) -> None:
    """Rank the models of REPORTS by skill.

    Each of REPORTS is a report, or a folder with reports somewhere below. The order is that of the lower bound of the
    skill metric on OOD; each corpus has a table of its own.
    """
    from lvm_gates.harness.base.errors import UserError
    from lvm_gates.harness.report.leaderboard import boards
    from lvm_gates.harness.report.leaderboard_forms import as_json, render_markdown, render_terminal
    from lvm_gates.harness.report.reported import reported as original
    from lvm_gates.harness.results.baseline import below
    from lvm_gates.harness.results.reading import read_report

    _one_form(ctx, in_json, markdown)
    found = [read_report(path) for given in reports for path in below(given)]
    paths = [report.path.resolve() for report in found]
    if len(set(paths)) < len(paths):
        twice = next(report for i, report in enumerate(found) if paths[i] in paths[:i])
        raise UserError(f"{twice.label}: is given twice; name each report once.")
    tables, others = boards(found), [one for one in original() if one.is_measured] if reported else []
    if in_json:
        _print_json(as_json(tables, others))
    elif markdown:
        _print(render_markdown(tables, others))
    else:
        echo_rendered(partial(render_terminal, tables, others))


@main.command()
@click.argument("report", type=_REPORT)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .svg, or a .json for shields.io.")
@click.option("--label", default="lvm-gates", show_default=True)
def badge(report: Path, out: Path, label: str) -> None:
    """Write a badge with the verdict of REPORT.

    A .json is what https://shields.io/badges/endpoint-badge reads.
    """
    from lvm_gates.harness.base.atomic import atomic_write
    from lvm_gates.harness.report.badge import render_badge
    from lvm_gates.harness.results.reading import read_report

    content = render_badge(read_report(report).scorecard, label, out)
    with atomic_write(out) as stream:
        stream.write(content)
    click.echo(f"written: {out}")


@main.command()
@click.argument("reports", nargs=-1, required=True, type=_REPORT)
def margins(reports: tuple[Path, ...]) -> None:
    """Print a policy for `compare` whose margins are what seeds differ by.

    REPORTS are of one recipe, three seeds or more, gated alike; the tiers are those of the policy built in.
    """
    from lvm_gates.harness.results.baseline import below
    from lvm_gates.harness.results.comparing import read_policy
    from lvm_gates.harness.results.reading import read_report
    from lvm_gates.harness.results.spread import as_toml, spreads, with_margins

    found = spreads([read_report(path) for given in reports for path in below(given)])
    _print(as_toml(with_margins(read_policy(None)[0], found)))


@main.command()
def schema() -> None:
    """Print the JSON Schema of scorecard.json."""
    from lvm_gates.harness.results.schema import schema_text

    click.echo(schema_text(), nl=False)


def _one_form(ctx: click.Context, as_json: bool, markdown: bool) -> None:
    if as_json and markdown:
        raise click.UsageError("--json and --markdown contradict each other; give one of them.", ctx)


def _print(text: str) -> None:
    click.echo(spelled(text, sys.stdout.encoding), nl=False)


def _print_json(value: Any) -> None:
    import json

    from lvm_gates.harness.base.record import jsonable

    click.echo(json.dumps(jsonable(value), indent=1))


def _beside(accepted: str, name: str | None, found: "Report") -> "Accepted":
    """The model in use, and every paired difference of the models of a report to it."""
    from lvm_gates.harness.report.html import Accepted
    from lvm_gates.harness.results.baseline import opened
    from lvm_gates.harness.results.paired import compare as compare_windows
    from lvm_gates.harness.results.reading import check_comparable, choose, read_samples

    with opened(accepted) as other:
        check_comparable(other, found)
        chosen = choose(other, name, "--accepted-model")
        differences = {
            model: {
                split: compare_windows(read_samples(other, chosen, split), read_samples(found, model, split))
                for split in ("VAL", "OOD")
            }
            for model in found.models
        }
        return Accepted(other.card(chosen), differences)


def _print_differences(accepted: str, name: str | None, report: Path, models: Sequence[str]) -> None:
    from lvm_gates.harness.report.versus import render_versus
    from lvm_gates.harness.results.comparing import compare_given

    for model in models:
        click.echo()
        echo_rendered(partial(render_versus, compare_given(accepted, str(report), None, ("VAL", "OOD"), (name, model))))


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
