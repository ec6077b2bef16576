"""A leaderboard as it is shown: in a terminal, in Markdown, as JSON; the original documents' models below it."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.report import layout, reported, words
from lvm_gates.harness.report.leaderboard import ORDERED_BY, Board, Entry
from lvm_gates.harness.report.markdown import markup, table
from lvm_gates.harness.report.reported import CAPTION, Reported

_HEADINGS = ("model", "#", "verdict", "gates", "c(+1) V/O", "novel", "skill [95 %]", "roll")
_NARROWEST_NAME = 8
_NOTES = (
    "ordered by the lower bound of skill on OOD; novel, skill and roll (rollout) are of OOD, c(+1) of VAL/OOD; "
    "#: the report",
    "~ not separable from the row above: the interval of their paired difference holds zero (F beside the frontier as "
    "recorded) or, where the reports share no windows or metric, their own intervals overlap",
)


def render_terminal(
    found: Sequence[Board], others: Sequence[Reported], *, colour: bool, width: int = layout.WIDTH
) -> str:
    """The tables in lines of at most ``width`` columns, eighty or more.

    Args:
        found: the tables.
        others: models of the original documents, below them.
        colour: whether to write ANSI colours.
        width: columns of a line.
    """
    return layout.render([*_parts(found, width), *_others(others)], colour=colour, width=width)


def as_json(found: Sequence[Board], others: Sequence[Reported]) -> Any:
    """The same as JSON; metrics under their names in ``scorecard.json``."""
    tables = [
        {
            "title": board.title,
            "task": board.task,
            "models": [_json(entry) for entry in board.models],
            "controls": [_json(entry) for entry in board.controls],
            "reports": list(board.reports),
        }
        for board in found
    ]
    return jsonable({"ordered_by": f"lower bound of skill on {ORDERED_BY}", "tables": tables, "reported": list(others)})


def _json(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.val.name,
        "report": entry.report,
        "verdict": entry.val.verdict,
        "gates": entry.val.letters,
        "tied_with_above": entry.tied,
        "above_minus_this": entry.behind,
        "VAL": dict(entry.val.metrics),
        "OOD": dict(entry.ood.metrics),
    }


def render_markdown(found: Sequence[Board], others: Sequence[Reported]) -> str:
    """The tables in Markdown, names in full."""
    blocks = []
    for board in found:
        rows = [_cells(entry, entry.val.name) for entry in [*board.models, *board.controls]]
        notes = [f"- {markup(note)}" for note in [*board.reports, *_NOTES, board.explanation] if note]
        blocks.append("\n".join([f"### {markup(board.title)}", "", *table(_HEADINGS, rows), "", *notes]))
    if others:
        rows = [[*reported.cells(one), one.fault] for one in others]
        lines = table((*reported.HEADINGS, "what was wrong with the measurement"), rows)
        blocks.append("\n".join(["### Reported elsewhere", "", *lines, "", f"- {CAPTION}"]))
    return "\n\n".join(blocks) + "\n"


def _others(others: Sequence[Reported]) -> Iterator[RenderableType]:
    if not others:
        return
    yield Text()
    yield Text("reported elsewhere", style="bold")
    grid = layout.table()
    for i, heading in enumerate(reported.HEADINGS):
        grid.add_column(heading, no_wrap=True, justify="right" if i else "left")
    for one in others:
        grid.add_row(*reported.cells(one))
    yield grid
    yield layout.bullet(CAPTION)


def _parts(found: Sequence[Board], line: int) -> Iterator[RenderableType]:
    for i, board in enumerate(found):
        if i:
            yield Text()
        yield Text(board.title, style="bold", overflow="fold")
        table = layout.table()
        for heading in _HEADINGS:
            left = heading in ("model", "verdict", "gates")
            table.add_column(heading, no_wrap=True, justify="left" if left else "right")
        entries = [*board.models, *board.controls]
        rows = [_cells(entry, entry.val.name) for entry in entries]
        width = _name_width(rows, line)
        for j, (entry, cells) in enumerate(zip(entries, rows, strict=True)):
            name = Text(layout.fit(cells[0], width), style="bold" if entry.val.is_model else "")
            verdict = Text(cells[2], style=layout.VERDICT_STYLES[entry.val.verdict])
            table.add_row(name, cells[1], verdict, *cells[3:], end_section=j + 1 == len(board.models))
        yield table
        yield from map(layout.bullet, board.reports)
        if board.explanation:
            yield layout.bullet(board.explanation)
    yield from map(layout.bullet, _NOTES)


def _name_width(rows: Sequence[Sequence[str]], line: int) -> int:
    """What the other columns leave of the line."""
    widths = [max(map(len, column)) for column in list(zip(_HEADINGS, *rows, strict=True))[1:]]
    return max(_NARROWEST_NAME, line - sum(widths) - len(widths))


def _cells(entry: Entry, name: str) -> list[str]:
    val, ood = entry.val, entry.ood
    skill = words.metric_text(entry.skill, signed=True, bare=True) if entry.skill else "-"
    return [
        name,
        f"{'~' if entry.tied else ''}{entry.report}",
        words.VERDICTS[val.verdict],
        val.letters,
        f"{words.short(val.metrics['c(+1)'])}/{words.short(ood.metrics['c(+1)'])}",
        words.short(ood.metrics["novel"]),
        f"{skill}{'c' if ood.beyond else ''}",
        words.short(ood.metrics["rollout"]),
    ]
