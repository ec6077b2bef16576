"""The run that a model is of: cosine, gain and loss by epoch, with what collapsed and what a schedule changed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from lvm_gates.harness.predictors.training_history import Training, TrainingEpoch
from lvm_gates.harness.report import captions
from lvm_gates.harness.report.chart import Axis, Point, Series, values_axis
from lvm_gates.harness.report.plots import Figure, figure

_MOST_TICKS = 8


def training_figure(found: Training) -> Figure | None:
    """None where no epoch has a cosine."""
    if not any(math.isfinite(one.val_cosine) for one in found.epochs):
        return None
    said = captions.training(found)
    cosines = [
        _curve(found, "training windows", "c0", lambda one: one.train_cosine),
        _curve(found, "gain over predictors without a network", "second", lambda one: one.gain),
        _curve(found, "VAL windows", "model", lambda one: one.val_cosine),
    ]
    losses = [
        _logarithmic(_curve(found, "training windows", "c0", lambda one: one.train_loss)),
        _logarithmic(_curve(found, "VAL windows", "model", lambda one: one.val_loss)),
    ]
    x = _epochs(found)
    cosine = figure("Training", "", {"Cosine": (said, [*_marked(found, cosines), *cosines])}, x, "mean cosine, gain")
    fell = captions.losses(found)
    loss = figure("Training", "", {"Loss": (fell, [*_marked(found, losses), *losses])}, x, _log_axis(losses))
    note = (
        "From training_history.json beside the checkpoint. The dotted line is the judged epoch, a cross a collapse, a "
        "diamond a change by a schedule."
    )
    return Figure("Training", note, [*cosine.panels, *loss.panels], cosine.legend)


def _epochs(found: Training) -> Axis:
    epochs = [one.epoch for one in found.epochs]
    every = max(1, math.ceil(len(epochs) / _MOST_TICKS))
    return Axis("epoch", min(epochs) - 0.5, max(epochs) + 0.5, [(float(e), str(e)) for e in epochs[::every]])


def _curve(found: Training, label: str, look: str, read: Callable[[TrainingEpoch], float]) -> Series:
    points = [
        Point(float(one.epoch), value, tip=f"{label}, epoch {one.epoch}: {value:.4g}")
        for one in found.epochs
        if math.isfinite(value := read(one))
    ]
    return Series(label, look, points)


def _marked(found: Training, curves: list[Series]) -> list[Series]:
    """The judged epoch across the chart, and the events below the curves."""
    heights = [point.y for one in curves for point in one.points] or [0.0, 1.0]
    lowest, highest = min(heights), max(heights)

    def points(kind: str) -> list[Point]:
        texts: dict[int, list[str]] = {}
        for event in found.events:
            if event.kind == kind:
                texts.setdefault(event.epoch, []).append(event.text)
        return [Point(float(e), lowest, tip=f"epoch {e}: {'; '.join(said)}") for e, said in texts.items()]

    judged = [Point(float(found.judged), y, tip=f"epoch {found.judged}: judged here") for y in (lowest, highest)]
    series = [
        Series("the judged epoch", "limit", judged),
        Series("change by a schedule", "c1", points("schedule"), line=False),
        Series("collapse", "bad", points("collapse"), line=False),
    ]
    return [one for one in series if one.points]


def _logarithmic(series: Series) -> Series:
    return replace(series, points=[replace(p, y=math.log10(p.y)) for p in series.points if p.y > 0])


def _log_axis(curves: Sequence[Series]) -> Axis:
    """An axis of powers of ten, with ticks at 1, 2 and 5 of each."""
    axis = values_axis("loss", [point.y for one in curves for point in one.points])
    powers = range(math.floor(axis.low) - 1, math.ceil(axis.high) + 1)
    ticks = [(math.log10(times) + power, f"{times * 10.0**power:.3g}") for power in powers for times in (1, 2, 5)]
    return replace(axis, ticks=[(at, label.replace("0.", ".")) for at, label in ticks if axis.low <= at <= axis.high])
