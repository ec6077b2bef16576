"""Plots of a scorecard as inline SVG: text stays text, nothing is loaded, the same scorecard gives the same bytes.

Every plot shows VAL and OOD side by side on one scale. Models are drawn in colour, controls in grey, and everything
that colour says is said again by a marker, a line style or a label.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.report.view import SPLITS
from lvm_gates.harness.statistics.frontier import frontier_mrr
from lvm_gates.harness.statistics.skill_metrics import SkillMetrics, Vertex

# Okabe and Ito's palette, which colour-blind readers tell apart.
MODEL, SECOND, THIRD, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8a8a8a", "#222222"
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name with two dollars is a name
    "svg.hashsalt": "lvm-gates",
    "font.family": ["sans-serif"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
# Characters that fit side by side in a legend, markers included.
_LEGEND_WIDTH = 135
_ABLATIONS = {
    "shuffle": "shuffled",
    "reverse": "reversed",
    "leave_one_out": "leave-one-out",
    "repeat_last": "last repeated",
    "cross_article": "foreign last",
}
Controls = Mapping[str, CardRecord]


def draw(plot: Callable[..., None], title: str, *arguments: Any, key: str, height: float) -> str:
    """One plot as an ``<svg>`` element.

    Args:
        plot: a function of this module, called with two axes (VAL, OOD) and the arguments.
        title: read out in place of the picture.
        *arguments: cards, controls, thresholds.
        key: tells its ids from those of other plots on the page.
        height: in inches; the width is that of the page.
    """
    with mpl.rc_context(_STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        # A letter that the measuring font lacks; the page writes it in the reader's.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(9.4, height), layout="constrained")
        # The candidate sets of the splits differ in size, which their tick labels say: two axes, not one shown twice.
        axes = list(figure.subplots(1, 2, sharex=plot is not retrieval_bars, sharey=True))
        for ax, split in zip(axes, SPLITS, strict=True):
            ax.set_title(split, loc="left")
        plot(axes, *arguments)
        handles, labels = _legend(axes)
        if handles:
            columns = max(1, min(len(labels), 6, _LEGEND_WIDTH // max(len(label) for label in labels)))
            figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
        stream = StringIO()
        figure.savefig(stream, format="svg", metadata=_NO_METADATA, facecolor="white")
    return _inline(stream.getvalue(), title, key)


def offset_curves(axes: Sequence[Axes], card: CardRecord, controls: Controls, limits: Mapping[str, float]) -> None:
    """Gate A: mean cosine of the prediction to the chunk at each offset."""
    for ax, split in zip(axes, SPLITS, strict=True):
        for i, (name, other) in enumerate(controls.items()):
            _behind(ax, *_curve(other.gates.a.of(split).c)[:2], name, i)
        curve = _curve(card.gates.a.of(split).c)
        _bars(ax, *curve, label=card.name)
        _say_if_undefined(ax, curve[1])
        if split in limits:
            ax.hlines(limits[split], 0.75, 1.25, color=SECOND, linewidth=2, label="c(+1) wanted")
        ax.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
        ax.set_xlabel("offset k (0: last context frame, +1: target)")
        ax.set_xticks(range(-3, 4), [f"{k:+d}" if k else "0" for k in range(-3, 4)])
    axes[0].set_ylabel("mean cosine")


def retrieval_bars(axes: Sequence[Axes], card: CardRecord) -> None:
    """Gate B: R@1, R@5 and MRR in each candidate set, with what chance would score."""
    for ax, split in zip(axes, SPLITS, strict=True):
        pools = dict(card.gates.b.of(split).items())
        names = list(pools)
        for i, metric in enumerate(("R@1", "R@5", "MRR")):
            at = np.arange(len(names)) + (i - 1) * 0.27
            values, errors = _values([pools[name][metric] for name in names])
            colour = (MODEL, "#56B4E9", THIRD)[i]
            ax.bar(at, values, 0.25, yerr=errors, color=colour, ecolor=INK, capsize=2, label=metric)
            chance = [_number(pools[name].chance_of[metric]) for name in names]
            ax.hlines(chance, at - 0.13, at + 0.13, color=SECOND, linewidth=2, label="chance")
        sizes = [_number(pools[name].size) for name in names]
        ticks = [f"{n}\n(of {s:,.0f})" if np.isfinite(s) else f"{n}\n(none)" for n, s in zip(names, sizes, strict=True)]
        ax.set_xticks(range(len(names)), ticks)
        ax.set_ylim(0, 1.05)
        ax.grid(visible=False, axis="x")
    axes[0].set_ylabel("score")


def rollout_curves(axes: Sequence[Axes], card: CardRecord, controls: Controls, limits: Mapping[str, float]) -> None:
    """Gate D: cosine to the true chunk at each horizon of the closed loop."""
    for ax, split in zip(axes, SPLITS, strict=True):
        for i, (name, other) in enumerate(controls.items()):
            y = _values(other.gates.d.of(split).by_horizon)[0]
            _behind(ax, np.arange(1, len(y) + 1), y, name, i)
        y, errors = _values(card.gates.d.of(split).by_horizon)
        _bars(ax, np.arange(1, len(y) + 1), y, errors, label=card.name)
        _say_if_undefined(ax, y)
        if split in limits:
            ax.axhline(limits[split], color=SECOND, linewidth=1.5, linestyle="-.", label="mean wanted")
        ax.set_xlabel("horizon h")
        ax.set_xticks(range(1, len(y) + 1))
    axes[0].set_ylabel("mean cosine")


def ablation_bars(axes: Sequence[Axes], card: CardRecord, limits: Mapping[str, Mapping[str, float]]) -> None:
    """Gate C: change of the cosine when the context is spoilt, with the side of the limit that passes."""
    for ax, split in zip(axes, SPLITS, strict=True):
        found, keys = card.gates.c.of(split), list(_ABLATIONS)
        values, errors = _values([found[key] for key in keys])
        at = np.arange(len(keys))[::-1]
        ax.barh(at, values, 0.6, xerr=errors, color=MODEL, ecolor=INK, capsize=2, label="change of cosine")
        for y, key in zip(at, keys, strict=True):
            limit = limits.get(_ABLATIONS[key], {}).get(split)
            if limit is not None:
                ax.vlines(limit, y - 0.42, y + 0.42, color=SECOND, linewidth=2, label="limit (pass: left of it)")
        _say_if_undefined(ax, values)
        ax.axvline(0, color=INK, linewidth=0.8)
        ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        ax.set_yticks(at, [_ABLATIONS[key] for key in keys])
        ax.grid(visible=False, axis="y")
        ax.set_xlabel("change of the cosine to the target")


def frontier(axes: Sequence[Axes], card: CardRecord, controls: Controls) -> None:
    """Profile `skill`: cosine against MRR (candidate set `novel`); rivals reach the curve, a model has to beat it."""
    for ax, split in zip(axes, SPLITS, strict=True):
        skill = card.skill.of(split)
        if skill is None:
            continue
        points = _points(list(skill.frontier.values()))
        _envelope(ax, *points)
        ax.plot(*points, "o", color=INK, markersize=3, label="rivals that make it")
        for (name, other), marker in zip(controls.items(), "sv^Dx*" * 3, strict=False):
            found = other.skill.of(split)
            if name != "oracle" and found is not None:  # the oracle, at (1, 1), would squeeze the scale
                ax.plot(*_points([found]), marker, color=GREY, markersize=6, label=name)
        x, errors_x = _values([skill.cosine])
        y, errors_y = _values([skill.mrr])
        ax.errorbar(x, y, errors_y, errors_x, "o", color=MODEL, capsize=3, markersize=7, label=card.name, zorder=5)
        _say_if_undefined(ax, x + y)
        ax.set_xlabel("mean cosine to the target")
    axes[0].set_ylabel("MRR, set novel")


def _envelope(ax: Axes, x: Any, y: Any) -> None:
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return
    at = np.linspace(x[finite].min(), x[finite].max(), 200)
    shape = (len(at), int(finite.sum()))
    reach = frontier_mrr(np.broadcast_to(x[finite], shape), np.broadcast_to(y[finite], shape), at)
    ax.plot(at, reach, color=INK, linestyle="--", linewidth=1, label="frontier")


def _bars(ax: Axes, x: Any, y: Any, errors: Any, label: str) -> None:
    ax.errorbar(x, y, errors, color=MODEL, marker="o", markersize=5, linewidth=2, capsize=3, label=label, zorder=5)


def _say_if_undefined(ax: Axes, values: Any) -> None:
    # An empty plot would leave the reader to guess between zero and nothing.
    if not np.isfinite(values).any():
        ax.set_title("the model's metrics are undefined", loc="right", color=SECOND)


def _behind(ax: Axes, x: Any, y: Any, name: str, index: int) -> None:
    if name == "oracle":
        ax.plot(x, y, color=INK, linestyle="--", linewidth=1, label=name)
    else:
        ax.plot(x, y, color=GREY, linewidth=1, marker="sv^Dx*"[index % 6], markersize=4, label=name)


def _curve(c: Mapping[str, Estimate]) -> tuple[Any, Any, Any]:
    offsets = sorted(int(k) for k in c)
    return (np.array(offsets), *_values([c[str(k)] for k in offsets]))


def _values(metrics: Sequence[Estimate]) -> tuple[Any, Any]:
    """Values, and error bars as matplotlib wants them; a metric without an interval gets none."""
    value, low, high = (np.array([getattr(f, end) for f in metrics], float) for end in ("value", "low", "high"))
    errors = np.maximum(np.stack([value - low, high - value]), 0.0)
    return value, np.where(np.isfinite(errors), errors, 0.0)


def _points(found: Sequence[Vertex | SkillMetrics]) -> tuple[Any, Any]:
    return _values([p.cosine for p in found])[0], _values([p.mrr for p in found])[0]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _legend(axes: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """One entry a label over both axes; the model, drawn last, comes first."""
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    labels = list(found)
    return [found[label] for label in labels], [_shorten(label) for label in labels]


def _shorten(label: str) -> str:
    # A dollar sign would start mathematical notation; a long path would push the legend off the page.
    label = label.replace("$", r"\$")
    return label if len(label) <= 40 else f"…{label[-39:]}"


def _inline(svg: str, title: str, key: str) -> str:
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # Ids are unique in one plot only, and a page has many.
    prefix = re.sub(r"\W+", "-", f"{key} {title}")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    # The page scales the picture by its viewBox.
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    label = f'<svg role="img" aria-label="{title}, VAL and OOD; its metrics are in the tables"'
    return svg.replace("<svg", label, 1).strip()
