"""The scorecard in a terminal, eighty columns or what there is; every mark is a word, so that colour adds nothing."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lvm_gates.harness.base.visible import all_visible
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.report import words
from lvm_gates.harness.report.advice import what_now
from lvm_gates.harness.report.layout import VERDICT_STYLES, WIDTH, fit, hanging, render, table
from lvm_gates.harness.report.overview import (
    HEADINGS,
    Line,
    conduct_notes,
    explanation,
    findings,
    lines,
    skill_texts,
    stopped,
)
from lvm_gates.harness.report.view import ABSOLUTE, SPLITS, Gate, gates, notes, remarks
from lvm_gates.harness.results.model import Scorecard

# Of the name of a model at eighty columns; a wider terminal gives it the rest.
_NAME_WIDTH = 17
# From here on there is room for the interval of the skill.
_WIDE = 112
_INTERVAL = len(" [+.123, +.123]") + 1


def render_terminal(scorecard: Scorecard, *, colour: bool, width: int = WIDTH) -> str:
    """The scorecard for people.

    Args:
        scorecard: as `harness.results.scorecard.build_scorecard` makes it, or read from ``scorecard.json``.
        colour: whether to write ANSI colours.
        width: columns of a line at most, eighty or more.
    """
    return render(_parts(all_visible(scorecard), width), colour=colour, width=width)


def _parts(scorecard: Scorecard, width: int) -> Iterator[RenderableType]:
    yield _heading(scorecard)
    if said := stopped(scorecard):
        yield Text(said, style="dim")
    yield from _audits(scorecard)
    for card in scorecard.models:
        yield Text()
        yield from _model(scorecard, card)
    yield Text()
    yield from _controls(scorecard, width)


def _heading(scorecard: Scorecard) -> Text:
    sizes = [f"{split} {words.count(of.windows)}" for split, of in scorecard.corpus.splits.items()]
    what = f"profile {scorecard.profile}, require {scorecard.require}, corpus {scorecard.corpus.path}"
    return Text(f"{what}; windows: {', '.join(sizes)}" if sizes else what, style="dim")


def _audits(scorecard: Scorecard) -> Iterator[RenderableType]:
    audits = scorecard.audits
    rest = [audit for audit in audits if audit.status != "pass"]
    style = "red" if any(audit.in_the_way for audit in rest) else "dim"
    yield Text(f"data audits: {len(audits) - len(rest)} of {len(audits)} pass", style=style)
    for audit in rest:
        colour = "red" if audit.in_the_way else "yellow"
        yield _bullet(f"{audit.name}: {audit.status.upper()}; {audit.detail}", colour)


def _model(scorecard: Scorecard, card: CardRecord) -> Iterator[RenderableType]:
    yield Text.assemble((words.VERDICTS[card.verdict], VERDICT_STYLES[card.verdict]), "  ", (card.name, "bold"))
    for reason in card.reasons:
        yield _bullet(reason)
    for i, sentence in enumerate(what_now(scorecard, card)):
        label = "" if i else "worth knowing: " if card.verdict == "release" else "what now: "
        yield _hanging(f"> {label}{sentence}", "bold" if card.verdict != "release" else "")
    if card.tolerated:
        yield _bullet(f"tolerated by --require={scorecard.require}: {', '.join(card.tolerated)} (FAIL*)")
    if card.assumed:
        yield _bullet(f"assumed: {'; '.join(card.assumed)}")
    arranged = gates(scorecard, card)
    yield _gate_table(arranged)
    for note in (*notes(arranged), *remarks(card)):
        yield _bullet(note)
    if texts := skill_texts(card.skill):
        yield _bullet(f"against the frontier of rivals: {'; '.join(texts)}")


def _gate_table(arranged: list[Gate]) -> Table:
    # Every gate a section of one table, so that the columns of all gates line up.
    grid = table()
    grid.add_column("gate / metric", overflow="fold")
    for name in ("VAL [95 %]", "OOD [95 %]", "wanted", "mark"):
        grid.add_column(name, no_wrap=True)
    for gate in arranged:
        style = "green" if gate.passed else "yellow" if gate.tolerated else "red"
        grid.add_row(*(Text(cell, style=f"bold {style}") for cell in _section(gate)))
        for row in gate.rows:
            cells = [row.metric("VAL", bare=True), row.metric("OOD", bare=True), row.wanted(bare=True)]
            label = Padding(Text(row.label), (0, 0, 0, 2))
            grid.add_row(label, *cells, Text(row.mark, style="red" if row.failed else "green"))
    return grid


def _section(gate: Gate) -> list[str]:
    title = gate.title if gate.name in ABSOLUTE else gate.name
    beside = [", ".join(part for part in (gate.peak(split), gate.n(split)) if part) for split in SPLITS]
    return [title, *beside, "", "PASS" if gate.passed else "FAIL*" if gate.tolerated else "FAIL"]


def _controls(scorecard: Scorecard, width: int) -> Iterator[RenderableType]:
    shown = lines(scorecard, "VAL")
    wide = width >= _WIDE
    name_width = _NAME_WIDTH + width - WIDTH - (_INTERVAL if wide else 0)
    grid = table()
    grid.add_column("on VAL", no_wrap=True, overflow="ellipsis", max_width=name_width)
    grid.add_column("c(+1)", justify="right", no_wrap=True)
    grid.add_column("peak", justify="right", no_wrap=True)
    for name in HEADINGS[1:]:
        grid.add_column({"rollout": "roll"}.get(name, name), justify="right", no_wrap=True)
    grid.add_column("gates", no_wrap=True)
    grid.add_column("verdict", no_wrap=True)
    for i, line in enumerate(shown):
        last_model = line.is_model and (i + 1 == len(shown) or not shown[i + 1].is_model)
        grid.add_row(*_cells(line, name_width, wide), end_section=last_model)
    yield grid
    for note in conduct_notes(scorecard):
        yield _hanging(note, "red" if note.startswith("!") else "yellow")
    for found in findings(scorecard):
        yield Text(f"finding: {found}", style="bold yellow")
    yield Text(explanation(scorecard), style="dim")


def _cells(line: Line, name_width: int, wide: bool) -> list[RenderableType]:
    metrics = [words.short(line.metrics[name]) for name in HEADINGS]
    if wide and (skill := line.metrics[HEADINGS[-1]]) is not None:
        metrics[-1] = words.metric_text(skill, signed=True, bare=True).replace(words.UNDEFINED, "undef")
    metrics[-1] += "c" if line.beyond else ""
    peak = "-" if line.peak is None else f"{line.peak:+d}" if line.peak else "0"
    name = Text(fit(f"{line.mark} {line.name}".strip(), name_width), style="bold" if line.is_model else "")
    verdict = Text(words.VERDICTS[line.verdict], style=VERDICT_STYLES[line.verdict])
    return [name, metrics[0], peak, *metrics[1:], line.letters, verdict]


def _bullet(text: str, style: str = "") -> Padding:
    return _hanging(f"- {text}", style)


def _hanging(text: str, style: str) -> Padding:
    return Padding(hanging(text[0], text[2:], style), (0, 0, 0, 2))
