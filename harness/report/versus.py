"""The comparison of a candidate with the accepted model: in a terminal, and in Markdown for a pull request."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from lvm_gates.harness.base.estimate import LEVEL
from lvm_gates.harness.base.visible import all_visible
from lvm_gates.harness.report import layout, words
from lvm_gates.harness.report.markdown import markup, table
from lvm_gates.harness.results.comparison import Comparison, Windows
from lvm_gates.harness.results.noninferiority import Finding
from lvm_gates.harness.results.paired import Difference, holm
from lvm_gates.harness.results.policy import Tier

_TIERS: tuple[Tier, ...] = ("critical", "supporting", "advisory")
_MEANING = {
    "critical": "critical: must be shown to be not worse",
    "supporting": "supporting: must not be shown to be worse",
    "advisory": "advisory: decides nothing",
}
_STYLES = {"not worse": "bold green", "worse": "bold red", "undecided": "bold yellow", "broken": "bold red"}
_SIGNED = ("shuffle", "reverse", "c(+1) - c(0)")
_HEADINGS = ("metric", "accepted", "candidate", "difference [95 %]", "detectable", "margin", "outcome")
_SURE = "*"


def render_versus(found: Comparison, *, colour: bool, width: int = layout.WIDTH) -> str:
    """The comparison in lines of at most ``width`` columns, eighty or more."""
    return layout.render(_parts(all_visible(found)), colour=colour, width=width)


def render_versus_markdown(found: Comparison) -> str:
    """The same in Markdown, names in full."""
    found = all_visible(found)
    lines = [f"**{found.answer.upper()}**{_beside(found)}", "", *(f"- {markup(reason)}" for reason in found.reasons)]
    sure = _sure(found.findings)
    for split, of in found.splits.items():
        rows = [[one.tier, *_cells(one, sure)] for one in _in_order(found.findings, split)]
        lines += ["", f"**{markup(_windows(split, of))}**", "", *table(("tier", *_HEADINGS), rows)]
    lines += ["", *(f"- {markup(note)}" for note in _notes(found))]
    return "\n".join(lines).rstrip() + "\n"


def _beside(found: Comparison) -> str:
    if found.accepted is None or found.candidate is None:
        return ""
    sides = [f"{markup(side.model)} ({markup(side.report)})" for side in (found.candidate, found.accepted)]
    return f": candidate {sides[0]} beside accepted {sides[1]}"


def _parts(found: Comparison) -> Iterator[RenderableType]:
    for role, side in (("A accepted", found.accepted), ("B candidate", found.candidate)):
        if side is not None:
            dim = (f"  in {side.report}, {words.VERDICTS.get(side.verdict, side.verdict)}", "dim")
            yield Text.assemble((f"{role:<13}{side.model}", "bold"), dim, overflow="fold")
    yield Text(f"on corpus {found.corpus}; profile {found.profile}; policy {found.policy}", style="dim")
    sure = _sure(found.findings)
    for split, of in found.splits.items():
        yield Text()
        yield Text(_windows(split, of), style="bold")
        yield _table(_in_order(found.findings, split), sure)
    yield Text()
    yield Text(found.answer.upper(), style=_STYLES[found.answer])
    yield from map(layout.bullet, found.reasons)
    yield from (Padding(layout.hanging("-", note, "dim"), 0) for note in _notes(found))


def _table(findings: Sequence[Finding], sure: set[tuple[str, str]]) -> RenderableType:
    grid = layout.table()
    grid.add_column("metric", no_wrap=True, min_width=12)
    for name in ("A", "B", "B minus A [95 %]", "detectable", "margin"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("outcome", no_wrap=True)
    for tier in _TIERS:
        rows = [one for one in findings if one.tier == tier]
        if rows:
            grid.add_row(Text(tier, style="bold"))
        for one in rows:
            *cells, outcome = _cells(one, sure)
            grid.add_row(f" {cells[0]}", *cells[1:], Text(outcome, style=_STYLES[one.outcome]))
    return grid


def _in_order(findings: Sequence[Finding], split: str) -> list[Finding]:
    return [one for tier in _TIERS for one in findings if (one.split, one.tier) == (split, tier)]


def _windows(split: str, of: Windows) -> str:
    leaked = f", {words.count(of.leaked)} leaked and left out" if of.leaked else ""
    return f"{split}: {words.count(of.windows)} windows{leaked}; {of.articles} article{'s' if of.articles != 1 else ''}"


def _cells(one: Finding, sure: set[tuple[str, str]]) -> list[str]:
    signed = one.metric in _SIGNED
    mark = f" {_SURE}" if (one.split, one.metric) in sure else ""
    return [
        one.metric,
        words.number(one.accepted, signed=signed, bare=True),
        words.number(one.candidate, signed=signed, bare=True),
        words.metric_text(one.difference, signed=True, bare=True),
        words.number(one.detectable, bare=True).replace(words.UNDEFINED, "-"),
        words.number(one.margin, bare=True),
        f"{one.outcome}{mark}",
    ]


def _sure(findings: Sequence[Finding]) -> set[tuple[str, str]]:
    """Split and metric of the differences that survive Holm's correction for all of them."""
    p = [Difference(one.metric, one.accepted, one.candidate, one.difference).p for one in findings]
    pairs = zip(findings, holm(p), strict=True)
    return {(one.split, one.metric) for one, value in pairs if value <= 1 - LEVEL}


def _notes(found: Comparison) -> list[str]:
    if not found.findings:
        return []
    notes = [_MEANING[tier] for tier in _TIERS if any(one.tier == tier for one in found.findings)]
    undecided = [one for one in found.findings if one.outcome == "undecided"]
    wanted = [f"{one.metric} on {one.split}: {one.note or _wanted(one)}" for one in undecided]
    lower = dict.fromkeys(one.metric for one in found.findings if one.better == "lower")
    return [
        "candidate minus accepted on the same windows, intervals by article; not worse: the interval lies above minus "
        "the margin; worse: it lies below; undecided: it reaches across",
        *notes,
        *([f"{', '.join(lower)}: lower is better"] if lower else []),
        *([f"to decide: {'; '.join(wanted)}"] if wanted else []),
        f"detectable: a true difference of that size is found four times in five; {_SURE} differs from zero at .05 "
        "after Holm's correction for all metrics shown",
    ]


def _wanted(one: Finding) -> str:
    if one.articles_wanted is None:
        return "at the margin itself, no number of articles would"
    return f"about {one.articles_wanted:,} articles, {one.difference.articles:,} are there"
