"""The comparison of two models in a terminal: one table a split, then what its marks mean and do not mean."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from lvm_gates.harness.base.estimate import LEVEL
from lvm_gates.harness.base.visible import visible
from lvm_gates.harness.report import layout, words
from lvm_gates.harness.results.paired import Difference, PairedDifferences, holm

_SURE, _UNCORRECTED = "*", "(*)"


@dataclass(frozen=True)
class Pair:
    """What is compared.

    Attributes:
        first: name and report of model A.
        second: the same of model B.
        corpus: that both were judged on.
        by_split: split -> differences, B minus A.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    corpus: str
    by_split: Mapping[str, PairedDifferences]


def render_versus(pair: Pair, *, colour: bool, width: int = layout.WIDTH) -> str:
    """The comparison in lines of at most ``width`` columns, eighty or more."""
    return layout.render(_parts(pair), colour=colour, width=width)


def _parts(pair: Pair) -> Iterator[RenderableType]:
    for letter, (name, report) in zip("AB", (pair.first, pair.second), strict=True):
        yield Text.assemble((f"{letter}  {visible(name)}", "bold"), (f"  in {visible(report)}", "dim"), overflow="fold")
    yield Text(
        f"on corpus {visible(pair.corpus)}; B minus A on the same windows, 95 % intervals by article", style="dim"
    )
    tests = [(split, one) for split, found in pair.by_split.items() for one in found.differences]
    corrected = dict(zip([(s, d.metric) for s, d in tests], holm([d.p for _, d in tests]), strict=True))
    for split, found in pair.by_split.items():
        yield Text()
        yield Text(_windows(split, found), style="bold")
        table = layout.table()
        table.add_column("metric", no_wrap=True, min_width=12)
        for name in ("A", "B", "B minus A [95 %]"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in ("n", "detectable"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("mark", no_wrap=True)
        for one in found.differences:
            mark = _mark(one, corrected[split, one.metric])
            table.add_row(*_cells(one), Text(mark, style="bold" if mark == _SURE else ""))
        yield table
        for reason in found.left_out:
            yield layout.bullet(f"left out: {reason}")
    yield Text()
    yield from map(layout.bullet, _explanations(sum(value == value for value in corrected.values())))


def _windows(split: str, found: PairedDifferences) -> str:
    a, b = (words.count(n) for n in found.of)
    articles = max(one.estimate.articles for one in found.differences)
    return (
        f"{split}: {words.count(found.windows)} windows in common, of {a} of A and {b} of B; "
        f"{articles} article{'s' if articles != 1 else ''}"
    )


def _cells(one: Difference) -> list[str]:
    signed = one.metric in ("shuffle", "reverse") or one.metric.startswith("c(+1)")
    return [
        one.metric,
        words.number(one.first, signed=signed, bare=True),
        words.number(one.second, signed=signed, bare=True),
        words.metric_text(one.estimate, signed=True, bare=True),
        words.count(one.estimate.n),
        words.number(one.detectable, bare=True).replace(words.UNDEFINED, "-"),
    ]


def _mark(one: Difference, corrected: float) -> str:
    if corrected <= 1 - LEVEL:
        return _SURE
    return _UNCORRECTED if one.p <= 1 - LEVEL else ""


def _explanations(tests: int) -> list[str]:
    return [
        f"{_SURE} differs from zero at .05 after Holm's correction for the {tests} metrics tested here; "
        f"{_UNCORRECTED} its own interval excludes zero, but it does not survive the correction",
        "detectable: minimum detectable effect; a true difference of that size is found four times in five, so no "
        "mark says only that a difference much larger is unlikely",
        "shuffle, reverse: change of the cosine when the context is spoiled; B minus A below zero means that B "
        "loses more, and so uses the order more",
    ]
