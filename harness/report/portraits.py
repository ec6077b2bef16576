"""Two corpora side by side in a terminal: every metric of both, and their difference."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from rich.console import RenderableType
from rich.text import Text

from lvm_gates.harness.base.metric_text import metric_text
from lvm_gates.harness.corpus.corpus_statistics import Portrait, difference, excludes_zero
from lvm_gates.harness.report import layout, words

_LABELS = {"lag 1": "coherence (lag 1)", "norm of mean": "anisotropy (norm)"}
_DIFFERS = "*"


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        name: as typed.
        portrait: of its articles.
        available: articles of which those of the portrait were drawn.
        keys: article id and number of every chunk; equal on both sides where one text was embedded twice.
    """

    name: str
    portrait: Portrait
    available: int
    keys: Int[np.ndarray, "2 n"]


def render_comparison(
    one: Side, other: Side, *, context: int, paired: bool, colour: bool, width: int = layout.WIDTH
) -> str:
    """The comparison in lines of at most ``width`` columns, eighty or more."""
    return layout.render(_parts(one, other, context, paired), colour=colour, width=width)


def _parts(one: Side, other: Side, context: int, paired: bool) -> Iterator[RenderableType]:
    for letter, side in zip("AB", (one, other), strict=True):
        drawn = f", drawn of {words.count(side.available)}" if side.portrait.articles < side.available else ""
        size = f"{words.count(side.portrait.articles)} articles{drawn}, {words.count(side.portrait.chunks)} chunks"
        yield Text.assemble((f"{letter}  {side.name}", "bold"), (f"  {size}", "dim"), overflow="fold")
    grid = layout.table()
    grid.add_column("metric", no_wrap=True)
    for name in ("A [95 %]", "B [95 %]", "B minus A [95 %]"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column("", no_wrap=True)
    for name, first in one.portrait.metrics.items():
        second = other.portrait.metrics[name]
        gap = difference(second, first, paired=paired)
        mark = Text(_DIFFERS if excludes_zero(gap) else "", style="bold")
        cells = [
            metric_text(first.estimate, bare=True),
            metric_text(second.estimate, bare=True),
            metric_text(gap, bare=True, signed=True),
        ]
        grid.add_row(_LABELS.get(name, name), *cells, mark)
    yield grid
    how = "the same articles on both sides, paired" if paired else "different articles, intervals in quadrature"
    yield layout.bullet(f"{_DIFFERS} the interval of the difference excludes zero; clustered by article; {how}")
    yield layout.bullet(
        f"temporal signal: cos(last, target) minus cos(first, target) of {context} frames; random pair: chunks of "
        "different articles; anisotropy: norm of the mean embedding, the root of random pair"
    )
