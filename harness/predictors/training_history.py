"""How a model was trained, from the ``training_history.json`` beside its checkpoint, as far as a report shows it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.base.record import LARGEST, Count, Number, Record
from lvm_gates.harness.files.json_file import read_json

HISTORY = "training_history.json"
# A record of one epoch has 4 kB.
_LARGEST = 32 << 20
_MOST_EPOCHS = 2000
# Below the best cosine so far: the fall of every collapse that was reported (docs/sources.md, "Reported metrics").
_COLLAPSING_FALL = 0.10
# What changes by a schedule, and how that reads.
_SCHEDULES = {"lr": "learning rate", "position_scale": "position scale", "windows": "training windows"}
_TERM = "train_loss."


class TrainingEpoch(Record, frozen=True, kw_only=True):
    """One epoch.

    Attributes:
        epoch: from 1.
        train_cosine: mean over the training windows, while it trained.
        val_cosine: mean over the VAL windows after it.
        gain: F of the sentinel, which looks at a few hundred VAL windows.
        train_loss: with every term that was on.
        val_loss: of the regression alone.
    """

    epoch: Count
    train_cosine: Number = math.nan
    val_cosine: Number = math.nan
    gain: Number = msgspec.field(name="F", default=math.nan)
    train_loss: Number = math.nan
    val_loss: Number = math.nan


class TrainingEvent(Record, frozen=True, kw_only=True):
    """What happened in an epoch: a collapse, or a change by a schedule."""

    epoch: Count
    kind: Literal["collapse", "schedule"]
    text: str


class Training(Record, frozen=True, kw_only=True):
    """A run.

    Attributes:
        judged: the epoch that the judged weights are of.
        epochs: in order.
        events: in order.
    """

    judged: Count
    epochs: list[TrainingEpoch]
    events: list[TrainingEvent] = msgspec.field(default_factory=list)


def training_beside(checkpoint: Path, provenance: Mapping[str, Any] | None) -> Training | None:
    """The run that a checkpoint is of; None where no history lies beside it, or that of another run does.

    Args:
        checkpoint: the file.
        provenance: what it records of itself: its epoch and validation loss must be those of the history.
    """
    file = checkpoint.parent / HISTORY
    if not provenance or not is_file(file):
        return None
    try:
        return _training(read_json(file, _LARGEST)["history"], provenance)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Written by anything, it may hold anything; what decides a verdict is not in it.
        return None


def _training(history: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]) -> Training | None:
    judged = provenance.get("epoch")
    own = [one for one in history if one["epoch"] == judged and one["val_loss"] == provenance.get("val_loss")]
    if not own or len(history) > _MOST_EPOCHS or type(judged) is not int:
        return None
    epochs = [
        TrainingEpoch(
            epoch=int(one["epoch"]),
            gain=_number(((one.get("sentinel") or {}).get("F") or {}).get("value")),
            **{name: _number(one.get(name)) for name in ("train_cosine", "val_cosine", "train_loss", "val_loss")},
        )
        for one in history
    ]
    return Training(judged=judged, epochs=epochs, events=[*_events(history)])


def _number(value: Any) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return float(value) if known else math.nan


def _events(history: Sequence[Mapping[str, Any]]) -> Iterator[TrainingEvent]:
    best = -math.inf
    for before, now in zip([None, *history[:-1]], history, strict=True):
        epoch, cosine = int(now["epoch"]), _number(now.get("val_cosine"))
        if cosine < best - _COLLAPSING_FALL:
            text = f"cosine fell to {cosine:.3f}, from {best:.3f} at best"
            yield TrainingEvent(epoch=epoch, kind="collapse", text=text)
        elif (now.get("sentinel") or {}).get("collapsed") and before is not None:
            yield TrainingEvent(epoch=epoch, kind="collapse", text="predictions collapsed")
        best = max(best, cosine) if cosine == cosine else best
        if before is not None:
            for text in _changes(before, now):
                yield TrainingEvent(epoch=epoch, kind="schedule", text=text)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, said in _SCHEDULES.items():
        one, other = _number(before.get(name)), _number(now.get(name))
        if one != other and other == other:
            yield f"{said} {other:g}" if one != one else f"{said} {one:g} to {other:g}"
    terms = [{name.removeprefix(_TERM) for name in one if name.startswith(_TERM)} for one in (before, now)]
    for name in sorted(terms[1] - terms[0]):
        yield f"loss term {name} begins"
    for name in sorted(terms[0] - terms[1]):
        yield f"loss term {name} ends"
