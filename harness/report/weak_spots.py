"""Where a model is weak: its cosine by kind of window, and the windows and articles that it predicts worst."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.judging.judge import show_offset
from lvm_gates.harness.report import captions, words
from lvm_gates.harness.report.chart import Point, Series
from lvm_gates.harness.report.plots import Figure, Shown, figure, rows_axis
from lvm_gates.harness.report.view import SPLITS
from lvm_gates.harness.statistics.breakdown import Breakdown, Slice

_QUARTERS = ("start of article", "second quarter", "third quarter", "end of article")
_COHERENCE = ("least coherent", "less coherent", "more coherent", "most coherent")
_ROW = 22


@dataclass(frozen=True)
class TextRow:
    """A line of a table of windows or articles.

    Attributes:
        cells: plain text; the first names it.
        context: text before the target, oldest first; empty where it is not known.
        target: the text that was to be predicted, or how an article begins; "" where it is not known.
    """

    cells: Sequence[str]
    context: Sequence[str]
    target: str


@dataclass(frozen=True)
class TextTable:
    """A title, a heading row, and rows with text."""

    title: str
    head: Sequence[str]
    rows: Sequence[TextRow]


WINDOWS = ("article, chunk", "cosine", "ridge's", "rank", "nearest to", "context coherence")
ARTICLES = ("article", "chunks", "windows", "mean cosine", "ridge's")


def slice_figure(shown: Sequence[Shown]) -> Figure | None:
    """The cosine by kind of window, ridge and the accepted model beside it; None where nothing was broken down."""
    model = shown[-1]
    if not any(model.card.breakdown.get(split, _EMPTY).slices for split in SPLITS):
        return None
    # Edges are quantiles of each split, so rows are named by their order.
    rows = _names(max((model.card.breakdown[split].slices for split in SPLITS), key=len))
    panels = {}
    for split in SPLITS:
        found = model.card.breakdown[split].slices
        ridge = [one.cosine.value - one.over_ridge.value for one in found]
        named = list(zip(_names(found), found, strict=True))
        series = [
            Series(
                "ridge", "c0", [_at(rows, n, x, "ridge") for (n, _), x in zip(named, ridge, strict=True)], line=False
            )
        ]
        series += [
            Series(one.label, one.look, _matching(rows, one, split, found), line=False)
            for one in shown[:-1]
            if one.look == "accepted"
        ]
        own = [
            Point(s.cosine.value, float(rows.index(name)), s.cosine.low, s.cosine.high, _tip(model.label, name, s))
            for name, s in named
        ]
        series.append(Series(model.label, model.look, own, line=False))
        panels[split] = (captions.slices(found, [name for name, _ in named]), series)
    return figure(
        "Where it is weak: by kind of window",
        "Mean cosine to the target. Coherence is the mean cosine of neighbours in the context, in quarters of the "
        "windows from least to most; then the place of the target in its article; then the length of the article, in "
        "thirds.",
        panels,
        "mean cosine to the target",
        rows_axis(rows),
        height=70 + _ROW * len(rows),
        sideways=True,
    )


_EMPTY = Breakdown(slices=[], windows=[], articles=[])


def _names(found: Sequence[Slice]) -> list[str]:
    """``coherence 1 of 4``, or where in the article: unique, in order."""
    names = []
    for one in found:
        alike = [other for other in found if other.by == one.by]
        at = alike.index(one)
        if one.by == "position":
            names.append(_QUARTERS[min(int(one.start * 4 + 1e-9), 3)])
        elif one.by == "coherence":
            names.append(_COHERENCE[at] if len(alike) == len(_COHERENCE) else f"coherence, {at + 1} of {len(alike)}")
        else:
            names.append("short articles" if at == 0 else "long articles" if one is alike[-1] else "middling articles")
    return names


def _at(rows: Sequence[str], name: str, value: float, label: str) -> Point:
    return Point(value, float(rows.index(name)), tip=f"{label}, {name}: {captions.value(value)}")


def _matching(rows: Sequence[str], other: Shown, split: str, found: Sequence[Slice]) -> list[Point]:
    """Slices of another model with the same edges: those of another sample of windows are other windows."""
    theirs = {(s.by, round(s.start, 6), round(s.end, 6)): s for s in other.card.breakdown.get(split, _EMPTY).slices}
    return [
        _at(rows, name, same.cosine.value, other.label)
        for name, one in zip(_names(found), found, strict=True)
        if (same := theirs.get((one.by, round(one.start, 6), round(one.end, 6)))) is not None
    ]


def _tip(label: str, name: str, one: Slice) -> str:
    span = f"{words.number(one.start, digits=2)} to {words.number(one.end, digits=2)}"
    if one.by == "length":
        span = f"{one.start:.0f} to {one.end:.0f} chunks"
    over = words.metric_text(one.over_ridge, signed=True, bare=True)
    cosine = words.metric_text(one.cosine, bare=True, count=True)
    return f"{label}, {name} ({one.by} {span}): {cosine}; over ridge {over}; MRR {captions.value(one.mrr)}"


def worst_tables(card: CardRecord) -> list[TextTable]:
    """The worst windows and articles of each split."""
    tables = []
    for split, found in _by_split(card.breakdown).items():
        windows = [
            TextRow(
                (
                    f"{one.article}, {one.chunk}",
                    captions.value(one.cosine),
                    captions.value(one.ridge),
                    f"{one.rank:.0f} of {one.candidates}" if one.rank == one.rank else words.UNDEFINED,
                    "unknown"
                    if one.nearest is None
                    else "the target"
                    if one.nearest == 1
                    else show_offset(one.nearest),
                    captions.value(one.coherence),
                ),
                one.context,
                one.target,
            )
            for one in found.windows
        ]
        articles = [
            TextRow(
                (
                    str(one.article),
                    words.count(one.chunks),
                    words.count(one.windows),
                    captions.value(one.cosine),
                    captions.value(one.ridge),
                ),
                (),
                one.text,
            )
            for one in found.articles
        ]
        tables.append(TextTable(f"{split}: the {len(windows)} windows of lowest cosine", WINDOWS, windows))
        tables.append(TextTable(f"{split}: the {len(articles)} articles of lowest mean cosine", ARTICLES, articles))
    return [table for table in tables if table.rows]


def _by_split(found: Mapping[str, Breakdown]) -> dict[str, Breakdown]:
    return {split: found[split] for split in SPLITS if split in found}
