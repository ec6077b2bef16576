"""One chart as inline SVG: text stays text, colours come from the page, the same input gives the same bytes.

What colour says is said again by the shape of a mark or the dashes of a line, so that a chart can be read in grey.
Every point carries its value as a title, which a browser shows on hovering without any script.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

WIDTH = 380
_TOP, _BOTTOM, _RIGHT = 12.0, 38.0, 12.0
_LETTER = 5.9  # of the axes' labels; a wide one is a little more
# Radius 4 around the origin.
_SHAPES = {
    "circle": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "square": "M-3.6 -3.6h7.2v7.2h-7.2z",
    "up": "M0 -4.4L4.2 3.4H-4.2z",
    "down": "M0 4.4L4.2 -3.4H-4.2z",
    "diamond": "M0 -4.8L4.2 0L0 4.8L-4.2 0z",
    "cross": "M-3.4 -3.4L3.4 3.4M-3.4 3.4L3.4 -3.4",
    "plus": "M-4 0H4M0 -4V4",
    "star": "M-4 0H4M0 -4V4M-3 -3L3 3M-3 3L3 -3",
    "large cross": "M-5 -5L5 5M-5 5L5 -5",
    "none": "",
}
# How a series is drawn, by its class in the page's style; colour and dashes are there.
_MARKS = {
    "model": "circle",
    "accepted": "square",
    "c0": "up",
    "c1": "diamond",
    "c2": "down",
    "c3": "plus",
    "c4": "cross",
    "second": "star",
    "bad": "large cross",
}


@dataclass(frozen=True)
class Point:
    """One value; NaN is not drawn.

    Attributes:
        x: across.
        y: up.
        low: end of its interval along the axis of values; NaN for none.
        high: the other end.
        tip: what is read on hovering.
    """

    x: float
    y: float
    low: float = math.nan
    high: float = math.nan
    tip: str = ""


@dataclass(frozen=True)
class Series:
    """Points that belong together.

    Attributes:
        label: in the legend.
        look: class in the page's style.
        points: in order.
        line: whether they are joined.
        limit: whether each is a bar across the axis of values, as a threshold is drawn.
    """

    label: str
    look: str
    points: Sequence[Point]
    line: bool = True
    limit: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: what is on it.
        low: its start.
        high: its end.
        ticks: places with their labels.
    """

    title: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]] = field(default=())


def values_axis(title: str, values: Iterable[float], *, include: Sequence[float] = (), most: int = 6) -> Axis:
    """An axis that holds all finite values, with round ticks."""
    known = [value for value in (*values, *include) if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    pad = 0.06 * (high - low) or 0.05
    low, high = low - pad, high + pad
    step = _step((high - low) / most)
    first, last = math.ceil(low / step), math.floor(high / step)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return Axis(title, low, high, [(i * step, _text(i * step, digits)) for i in range(first, last + 1)])


def _step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= raw - 1e-12)


def _text(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return "0"
    text = text[1:] if text.startswith("0.") else text
    return f"−{text}" if value < 0 else text


def draw(series: Sequence[Series], x: Axis, y: Axis, *, alt: str, height: int, sideways: bool = False) -> Markup:
    """One chart.

    Args:
        series: the last is drawn on top.
        x: across.
        y: up; its labels are words where ``sideways``.
        alt: what it shows, for those who cannot see it.
        height: in units of which the width has `WIDTH`.
        sideways: whether values run across and ``y`` counts rows from the top, each with a label.
    """
    longest = max((len(label) for _, label in y.ticks), default=0)
    left = 14 + _LETTER * longest + (0 if sideways else 14)
    frame = _Frame(left, _TOP, WIDTH - _RIGHT, height - _BOTTOM, x, y, sideways)
    parts = [*_axes(frame), *(part for one in series for part in _series(frame, one))]
    head = f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {height}" aria-label="{escape(alt)}">'
    return Markup(f"{head}{''.join(parts)}</svg>")  # noqa: S704  # every label and tip is escaped where it is written


def swatch(series: Series, *, sideways: bool = False) -> Markup:
    """How a series looks, for the legend of a chart."""
    if series.limit:
        inner = f'<path class="limit" d="{"M13 0V14" if sideways else "M2 7H24"}"/>'
    else:
        inner = ('<path class="line" d="M1 7H25"/>' if series.line else "") + _mark(series.look, 13.0, 7.0)
    svg = f'<svg class="swatch {series.look}" viewBox="0 0 26 14" aria-hidden="true">{inner}</svg>'
    return Markup(svg)  # noqa: S704  # made of numbers and of our own words


@dataclass(frozen=True)
class _Frame:
    """Where the axes lie, and what they hold."""

    left: float
    top: float
    right: float
    bottom: float
    x: Axis
    y: Axis
    sideways: bool

    def across(self, value: float) -> float:
        return self.left + (value - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)

    def up(self, value: float) -> float:
        share = (value - self.y.low) / (self.y.high - self.y.low)
        share = share if self.sideways else 1 - share
        return self.top + share * (self.bottom - self.top)


def _axes(frame: _Frame) -> Iterator[str]:
    for value, label in frame.x.ticks:
        at = frame.across(value)
        yield f'<path class="grid" d="M{at:.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>'
        yield f'<text x="{at:.1f}" y="{frame.bottom + 14:.1f}" text-anchor="middle">{escape(label)}</text>'
    for value, label in frame.y.ticks:
        at = frame.up(value)
        yield f'<path class="grid" d="M{frame.left:.1f} {at:.1f}H{frame.right:.1f}"/>'
        yield f'<text x="{frame.left - 6:.1f}" y="{at + 3.6:.1f}" text-anchor="end">{escape(label)}</text>'
    if not frame.sideways:
        yield f'<path class="axis" d="M{frame.left:.1f} {frame.top:.1f}V{frame.bottom:.1f}H{frame.right:.1f}"/>'
        middle = (frame.top + frame.bottom) / 2
        turned = f'transform="translate(11 {middle:.1f}) rotate(-90)" text-anchor="middle"'
        yield f'<text class="title" {turned}>{escape(frame.y.title)}</text>'
    elif frame.x.low < 0 < frame.x.high:
        yield f'<path class="axis" d="M{frame.across(0.0):.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>'
    middle, low = (frame.left + frame.right) / 2, frame.bottom + 31
    yield f'<text class="title" x="{middle:.1f}" y="{low:.1f}" text-anchor="middle">{escape(frame.x.title)}</text>'


def _series(frame: _Frame, series: Series) -> Iterator[str]:
    known = [point for point in series.points if math.isfinite(point.x) and math.isfinite(point.y)]
    yield f'<g class="{series.look}">'
    if series.line and not series.limit and len(known) > 1:
        path = "L".join(f"{frame.across(point.x):.1f} {frame.up(point.y):.1f}" for point in known)
        yield f'<path class="line" d="M{path}"/>'
    for point in known:
        x, y = frame.across(point.x), frame.up(point.y)
        yield '<g class="pt">'
        if point.tip:
            yield f"<title>{escape(point.tip)}</title>"
        if math.isfinite(point.low) and math.isfinite(point.high):
            yield _interval(frame, point, x, y)
        if series.limit:
            path = f"M{x:.1f} {y - 8:.1f}v16" if frame.sideways else f"M{x - 14:.1f} {y:.1f}h28"
            yield f'<path class="limit" d="{path}"/>'
        else:
            yield _mark(series.look, x, y)
        yield f'<circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="9"/></g>'
    yield "</g>"


def _interval(frame: _Frame, point: Point, x: float, y: float) -> str:
    if frame.sideways:
        return f'<path class="interval" d="M{frame.across(point.low):.1f} {y:.1f}H{frame.across(point.high):.1f}"/>'
    return f'<path class="interval" d="M{x:.1f} {frame.up(point.low):.1f}V{frame.up(point.high):.1f}"/>'


def _mark(look: str, x: float, y: float) -> str:
    shape = _SHAPES[_MARKS.get(look, "none")]
    return f'<path class="mark" transform="translate({x:.1f} {y:.1f})" d="{shape}"/>' if shape else ""
