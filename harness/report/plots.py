"""The charts of a model: what each gate measured, beside the accepted model and the controls.

Every figure has a panel for VAL and one for OOD on one scale, one legend, and a sentence for each that says what there
is to see. How a chart is drawn is the business of `harness.report.chart`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from markupsafe import Markup

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.report import captions, words
from lvm_gates.harness.report.chart import Axis, Point, Series, draw, swatch, values_axis
from lvm_gates.harness.report.view import SPLITS
from lvm_gates.harness.statistics.frontier import frontier_mrr
from lvm_gates.harness.statistics.perturbations import AblationEffects
from lvm_gates.harness.statistics.retrieval import Retrieval

_ROW = 22
_LONGEST_NAME = 40
_EFFECTS: dict[str, Callable[[AblationEffects], Estimate]] = {
    "shuffled": lambda found: found.shuffle,
    "reversed": lambda found: found.reverse,
    "leave-one-out": lambda found: found.leave_one_out,
    "last repeated": lambda found: found.repeat_last,
    "foreign last": lambda found: found.cross_article,
}
_SCORES = ("R@1", "R@5", "MRR")
Limits = Mapping[str, float]
"""Split -> threshold."""


@dataclass(frozen=True)
class Shown:
    """A model or control that is drawn.

    Attributes:
        label: in the legend.
        look: class of `harness.report.chart`.
        card: what was measured.
    """

    label: str
    look: str
    card: CardRecord


@dataclass(frozen=True)
class Figure:
    """One figure, ready for the page.

    Attributes:
        title: of the figure.
        note: how it is read.
        panels: name of each panel, what it shows in a sentence, and its chart.
        legend: name and picture of each series.
    """

    title: str
    note: str
    panels: Sequence[tuple[str, str, Markup]]
    legend: Sequence[tuple[str, Markup]]


def shorten(name: str) -> str:
    """The end of a long name: a legend must not push a chart off the page."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"


def figure(
    title: str,
    note: str,
    panels: Mapping[str, tuple[str, Sequence[Series]]],
    x: Axis | str,
    y: Axis | str,
    *,
    height: int = 230,
    sideways: bool = False,
) -> Figure:
    """Panels on one scale.

    Args:
        title: of the figure.
        note: how it is read.
        panels: name -> what it shows, and its series, the most important last.
        x: the axis across, or its title where the values make it.
        y: the same upwards.
        height: of a chart.
        sideways: see `harness.report.chart.draw`.
    """
    points = [point for _, series in panels.values() for one in series for point in one.points]
    ends = [end for point in points for end in (point.low, point.high)]
    if isinstance(x, str):
        x = values_axis(x, [*(point.x for point in points), *(ends if sideways else ())], most=5)
    if isinstance(y, str):
        y = values_axis(y, [*(point.y for point in points), *ends])
    drawn = [
        (name, said, draw(series, x, y, alt=f"{title}, {name}: {said}.", height=height, sideways=sideways))
        for name, (said, series) in panels.items()
    ]
    legend = {one.label: swatch(one, sideways=sideways) for _, series in panels.values() for one in reversed(series)}
    return Figure(title, note, drawn, list(legend.items()))


def gate_figures(shown: Sequence[Shown], limits: Mapping[str, Mapping[str, Limits]]) -> Iterator[Figure]:
    """Those of the gates A to D.

    Args:
        shown: the model last, what it is compared with before it.
        limits: gate -> metric -> threshold by split.
    """
    model = shown[-1].card
    yield figure(
        "Gate A: which chunk is the prediction nearest to?",
        "Mean cosine of the prediction to the chunks around the target. It should be highest at +1, the target; 0 is "
        "the last chunk that was read.",
        {
            split: (
                captions.offsets(model, split),
                [*_level("wanted at +1", limits["A"], "c(+1)", split, 1.0), *_curves(shown, partial(_offsets, split))],
            )
            for split in SPLITS
        },
        Axis(
            "chunk at offset k",
            -3.35,
            3.35,
            [(float(k), f"{k:+d}".replace("-", "−") if k else "0") for k in range(-3, 4)],
        ),
        "mean cosine",
    )
    rows = [(pool, score) for pool in ("article", "novel", "global") for score in _SCORES]
    yield figure(
        "Gate B: is the target found?",
        "Share of windows whose target comes first (R@1) or among the first five (R@5), and the mean of one over its "
        "rank (MRR): among the chunks of its article, those of them outside the context (novel), and chunks of the "
        "whole split (global).",
        {split: (captions.retrieval(model, split), [*_scores(shown, split, rows)]) for split in SPLITS},
        "score",
        rows_axis([f"{score}, {pool}" for pool, score in rows]),
        height=70 + _ROW * len(rows),
        sideways=True,
    )
    yield figure(
        "Gate C: does a spoiled context cost anything?",
        "Change of the cosine when the context is spoiled; to pass, the mark has to lie left of the bar.",
        {
            split: (
                captions.ablations(model, split),
                [*_effect_limits(limits["C"], split), *_effects(shown, split)],
            )
            for split in SPLITS
        },
        "change of the cosine to the target",
        rows_axis(list(_EFFECTS)),
        height=70 + _ROW * len(_EFFECTS),
        sideways=True,
    )
    steps = len(model.gates.d.val.by_horizon)
    yield figure(
        "Gate D: does it stay on course?",
        "Mean cosine to the true chunk when the model reads its own predictions, step by step.",
        {
            split: (
                captions.rollout(model, split),
                [
                    *_level("mean wanted", limits["D"], "rollout", split, 1.0, float(steps)),
                    *_curves(shown, partial(_steps, split)),
                ],
            )
            for split in SPLITS
        },
        Axis("step", 0.65, steps + 0.35, [(float(h), str(h)) for h in range(1, steps + 1)]),
        "mean cosine",
    )


def skill_figure(shown: Sequence[Shown]) -> Figure:
    """Cosine against rank: predictors without a network reach the dashed line, a model has to lie above it."""
    model = shown[-1].card
    return figure(
        "Skill: does it beat everything that needs no network?",
        "Each mark is a predictor: to the right it is closer to the target, further up it ranks the target higher "
        "(MRR among chunks outside the context). Blends of frames, ridge and climatology reach the dashed line, the "
        "frontier; a model has to lie above or to the right of it.",
        {split: (captions.frontier(model, split), [*_frontier(shown, split)]) for split in SPLITS},
        "mean cosine to the target",
        "MRR",
        height=250,
    )


def _curves(shown: Sequence[Shown], metrics: Callable[[CardRecord], Mapping[int, Estimate]]) -> Iterator[Series]:
    for one in shown:
        points = [_point(float(x), metric, one.label, f"{x:+d}") for x, metric in metrics(one.card).items()]
        # Intervals of the model alone: those of all would hide what they are of.
        yield Series(one.label, one.look, points if one is shown[-1] else [*map(_bare, points)])


def _offsets(split: str, card: CardRecord) -> dict[int, Estimate]:
    sweep = card.gates.a.of(split)
    return {k: sweep.c[str(k)] for k in sorted(map(int, sweep.c))}


def _steps(split: str, card: CardRecord) -> dict[int, Estimate]:
    return dict(enumerate(card.gates.d.of(split).by_horizon, start=1))


def _point(x: float, metric: Estimate, label: str, where: str) -> Point:
    tip = f"{label}, {where}: {words.metric_text(metric, bare=True)}"
    return Point(x, metric.value, metric.low, metric.high, tip)


def _bare(point: Point) -> Point:
    return Point(point.x, point.y, tip=point.tip)


def _level(label: str, limits: Mapping[str, Limits], metric: str, split: str, *at: float) -> Iterator[Series]:
    """A threshold: a bar at one place, or a line between two."""
    limit = limits.get(metric, {}).get(split)
    if limit is not None:
        tip = f"{label}: {words.limit_text(limit, bare=True)}"
        yield Series(label, "limit", [Point(x, limit, tip=tip) for x in at], limit=len(at) == 1)


def rows_axis(labels: Sequence[str]) -> Axis:
    """Rows from the top, each with its label."""
    return Axis("", -0.6, len(labels) - 0.4, [(float(row), label) for row, label in enumerate(labels)])


def _dots(
    shown: Sequence[Shown], rows: Sequence[str], metrics: Callable[[CardRecord], list[Estimate | None]]
) -> Iterator[Series]:
    """A mark a row for each, the model's with its interval; the oracle's would squeeze the scale."""
    for one in shown:
        if one.look == "oracle":
            continue
        found = metrics(one.card)
        points = [
            Point(metric.value, float(row), *_interval(metric, one is shown[-1]), tip)
            for row, (metric, name) in enumerate(zip(found, rows, strict=True))
            if metric is not None
            for tip in [f"{one.label}, {name}: {words.metric_text(metric, bare=True)}"]
        ]
        yield Series(one.label, one.look, points, line=False)


def _interval(metric: Estimate, wanted: bool) -> tuple[float, float]:
    return (metric.low, metric.high) if wanted else (math.nan, math.nan)


def _scores(shown: Sequence[Shown], split: str, rows: Sequence[tuple[str, str]]) -> Iterator[Series]:
    def pools(card: CardRecord) -> Retrieval:
        return card.gates.b.of(split)

    chance = [(row, pools(shown[-1].card)[pool].chance_of[score]) for row, (pool, score) in enumerate(rows)]
    points = [
        Point(x, float(row), tip=f"by chance: {words.number(x, bare=True)}") for row, x in chance if x is not None
    ]
    yield Series("by chance", "chance", points, line=False, limit=True)
    names = [f"{score} among {pool}" for pool, score in rows]
    yield from _dots(shown, names, lambda card: [pools(card)[pool][score] for pool, score in rows])


def _effects(shown: Sequence[Shown], split: str) -> Iterator[Series]:
    yield from _dots(shown, list(_EFFECTS), lambda card: [read(card.gates.c.of(split)) for read in _EFFECTS.values()])


def _effect_limits(limits: Mapping[str, Limits], split: str) -> Iterator[Series]:
    points = [
        Point(
            limits[name][split], float(row), tip=f"{name}, at most {words.limit_text(limits[name][split], bare=True)}"
        )
        for row, name in enumerate(_EFFECTS)
        if split in limits.get(name, {})
    ]
    if points:
        yield Series("at most", "limit", points, line=False, limit=True)


def _frontier(shown: Sequence[Shown], split: str) -> Iterator[Series]:
    own = shown[-1].card.skill.of(split)
    if own is None:
        return
    rivals = [(rival.cosine.value, rival.mrr.value, name) for name, rival in own.frontier.items()]
    known = sorted(one for one in rivals if math.isfinite(one[0]) and math.isfinite(one[1]))
    if known:
        cosine, mrr = (np.broadcast_to([one[i] for one in known], (len(known),) * 2) for i in (0, 1))
        reach = frontier_mrr(cosine, mrr, cosine[0])
        curve = [
            Point(x, float(y), tip=f"{name}: MRR {captions.value(float(y))}")
            for (x, _, name), y in zip(known, reach, strict=True)
        ]
        yield Series("frontier", "oracle", curve)
    for one in shown:
        skill = one.card.skill.of(split)
        if skill is None or one.look == "oracle":  # at (1, 1) it would squeeze the scale
            continue
        tip = f"{one.label}: cosine {captions.value(skill.cosine)}, MRR {captions.value(skill.mrr)}"
        yield Series(
            one.label,
            one.look,
            [Point(skill.cosine.value, skill.mrr.value, *_interval(skill.mrr, one is shown[-1]), tip)],
            line=False,
        )
