"""Many models of several reports in one table, ordered by what is certain of their skill.

Models of different corpora, or judged by different tasks, share no scale: each pair of corpus and task has a table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, isfinite
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.base.visible import all_visible, visible
from lvm_gates.harness.report import layout, overview, reported, words
from lvm_gates.harness.report.markdown import markup, table
from lvm_gates.harness.report.reported import CAPTION, Reported
from lvm_gates.harness.results.ranking import Ranked, paired_skill
from lvm_gates.harness.results.reading import Report

REFERENCE = ("oracle", "persistence", "linear", "ewma")
_ORDERED_BY = "OOD"
_HEADINGS = ("model", "#", "verdict", "gates", "c(+1) V/O", "novel", "skill [95 %]", "roll")
_NARROWEST_NAME = 8
_NOTES = (
    "ordered by the lower bound of skill on OOD; novel, skill and roll (rollout) are of OOD, c(+1) of VAL/OOD; "
    "#: the report",
    "~ not separable from the row above: the interval of their paired difference holds zero (F beside the frontier as "
    "recorded) or, where the reports share no windows or metric, their own intervals overlap",
)


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        report: number of its report, from 1.
        val: its metrics on VAL.
        ood: its metrics on OOD.
        ranked: where it is from.
        tied: whether it cannot be told from the row above.
        behind: the row above minus this one, paired; None where they have no paired difference.
    """

    report: int
    val: overview.Line
    ood: overview.Line
    ranked: Ranked
    tied: bool = False
    behind: Estimate | None = None

    @property
    def skill(self) -> Estimate | None:
        """The task's metric on the split that orders the table."""
        return self.ood.metrics["skill"]


@dataclass(frozen=True)
class Board:
    """One table.

    Attributes:
        title: its corpus.
        models: best first.
        controls: of the first report of the corpus, for reference.
        reports: what the numbers in column # mean.
        explanation: of metrics and gates.
        task: of profile `skill`.
    """

    title: str
    models: Sequence[Entry]
    controls: Sequence[Entry]
    reports: Sequence[str]
    explanation: str
    task: str


def boards(reports: Sequence[Report]) -> list[Board]:
    """The tables, in the order in which their corpora first appear."""
    grouped: dict[tuple[str, str], list[tuple[int, Report]]] = {}
    for number, given in enumerate(reports, start=1):
        report = replace(given, scorecard=all_visible(given.scorecard))
        # A corpus that nobody can identify is comparable with no other.
        corpus = report.fingerprint or str(report.path)
        grouped.setdefault((corpus, str(report.scorecard.task)), []).append((number, report))
    return [_board(group) for group in grouped.values()]


def render_terminal(found: Sequence[Board], others: Sequence[Reported], *, colour: bool) -> str:
    """The tables in lines of at most eighty columns.

    Args:
        found: the tables.
        others: models of the original documents, below them.
        colour: whether to write ANSI colours.
    """
    return layout.render([*_parts(found), *_others(others)], colour=colour)


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
    return jsonable(
        {"ordered_by": f"lower bound of skill on {_ORDERED_BY}", "tables": tables, "reported": list(others)}
    )


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


def _board(group: Sequence[tuple[int, Report]]) -> Board:
    entries = [entry for number, report in group for entry in _entries(number, report)]
    models = sorted((entry for entry in entries if entry.val.is_model), key=_order)
    separated = [*models[:1], *(_beside(above, entry) for above, entry in pairwise(models))]
    number, first = group[0]
    shown = {entry.val.name: entry for entry in _entries(number, first) if not entry.val.is_model}
    title = f"corpus {first.scorecard.corpus.path}, {(first.fingerprint or '')[:12] or 'no fingerprint'}"
    return Board(
        f"{title}, task {first.scorecard.task}",
        separated,
        [shown[name] for name in REFERENCE if name in shown],
        [_report(number, report) for number, report in group],
        overview.explanation(first.scorecard),
        str(first.scorecard.task),
    )


def _entries(number: int, report: Report) -> list[Entry]:
    val, ood = (overview.lines(report.scorecard, split) for split in ("VAL", _ORDERED_BY))
    names = [card.name for card in (*report.scorecard.models, *report.scorecard.controls)]
    return [Entry(number, v, o, Ranked(report, name)) for v, o, name in zip(val, ood, names, strict=True)]


def _order(entry: Entry) -> tuple[float, float, str]:
    """Largest lower bound first; undefined ones last, those that have a value at all before those that have none."""
    skill = entry.skill or UNDEFINED
    low, value = (-number if isfinite(number) else inf for number in (skill.low, skill.value))
    return low, value, entry.val.name


def _beside(above: Entry, below: Entry) -> Entry:
    behind = paired_skill(above.ranked, below.ranked, _ORDERED_BY)
    if behind is not None and isfinite(behind.low):
        return replace(below, behind=behind, tied=behind.low <= 0.0 <= behind.high)
    return replace(below, tied=_tied(above, below))


def _tied(above: Entry, below: Entry) -> bool:
    if above.ood.beyond != below.ood.beyond:
        return True
    # The row above has the larger lower bound, so that the two overlap where the row below reaches up to it.
    lowest, highest = (above.skill or UNDEFINED).low, (below.skill or UNDEFINED).high
    return not highest < lowest  # also where one is not defined


def _report(number: int, report: Report) -> str:
    card = report.scorecard
    sizes = ", ".join(f"{words.count(of.windows)} {split}" for split, of in card.corpus.splits.items())
    return f"#{number} {visible(report.label)}: profile {card.profile}, require {card.require}, windows {sizes}"


def _parts(found: Sequence[Board]) -> Iterator[RenderableType]:
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
        width = _name_width(rows)
        for j, (entry, cells) in enumerate(zip(entries, rows, strict=True)):
            name = Text(layout.fit(cells[0], width), style="bold" if entry.val.is_model else "")
            verdict = Text(cells[2], style=layout.VERDICT_STYLES[entry.val.verdict])
            table.add_row(name, cells[1], verdict, *cells[3:], end_section=j + 1 == len(board.models))
        yield table
        yield from map(layout.bullet, board.reports)
        if board.explanation:
            yield layout.bullet(board.explanation)
    yield from map(layout.bullet, _NOTES)


def _name_width(rows: Sequence[Sequence[str]]) -> int:
    """What the other columns leave of the line."""
    widths = [max(map(len, column)) for column in list(zip(_HEADINGS, *rows, strict=True))[1:]]
    return max(_NARROWEST_NAME, layout.WIDTH - sum(widths) - len(widths))


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
