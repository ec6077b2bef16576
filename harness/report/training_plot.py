"""The run that a model is of: cosine, gain and loss by epoch, with what collapsed and what a schedule changed."""

import math
from collections.abc import Callable

from lvm_gates.harness.predictors.training_history import Training, TrainingEpoch
from lvm_gates.harness.report import captions
from lvm_gates.harness.report.chart import Axis, Point, Series
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
        _curve(found, "training windows", "c0", lambda one: _log(one.train_loss)),
        _curve(found, "VAL windows", "model", lambda one: _log(one.val_loss)),
    ]
    x = _epochs(found)
    cosine = figure("Training", "", {"cosine, by epoch": (said, [*_marked(found, cosines), *cosines])}, x, "")
    loss = figure("Training", "", {"loss (power of ten), by epoch": (said, [*_marked(found, losses), *losses])}, x, "")
    note = (
        "From training_history.json beside the checkpoint. A bar marks the judged epoch, a cross a collapse, a "
        "diamond a change by a schedule."
    )
    return Figure("Training", note, [*cosine.panels, *loss.panels], cosine.legend)


def _epochs(found: Training) -> Axis:
    epochs = [one.epoch for one in found.epochs]
    every = max(1, math.ceil(len(epochs) / _MOST_TICKS))
    return Axis("epoch", min(epochs) - 0.5, max(epochs) + 0.5, [(e, str(e)) for e in epochs[::every]])


def _curve(found: Training, label: str, look: str, read: Callable[[TrainingEpoch], float]) -> Series:
    points = [
        Point(one.epoch, value, tip=f"{label}, epoch {one.epoch}: {captions.value(value, signed=value < 0)}")
        for one in found.epochs
        if math.isfinite(value := read(one))
    ]
    return Series(label, look, points)


def _marked(found: Training, curves: list[Series]) -> list[Series]:
    """The judged epoch and the events, at the height of the last curve there, or below all."""
    height = {point.x: point.y for point in curves[-1].points}
    lowest = min((point.y for one in curves for point in one.points), default=0.0)

    def points(kind: str) -> list[Point]:
        texts: dict[int, list[str]] = {}
        for event in found.events:
            if event.kind == kind:
                texts.setdefault(event.epoch, []).append(event.text)
        return [Point(e, lowest, tip=f"epoch {e}: {'; '.join(said)}") for e, said in texts.items()]

    judged = [Point(found.judged, height.get(found.judged, lowest), tip=f"epoch {found.judged}: judged here")]
    series = [
        Series("change by a schedule", "c1", points("schedule"), line=False),
        Series("collapse", "bad", points("collapse"), line=False),
        Series("the judged epoch", "limit", judged, line=False, limit=True),
    ]
    return [one for one in series if one.points]


def _log(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan
