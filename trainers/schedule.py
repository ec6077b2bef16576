"""Values that change from epoch to epoch, as data: a recipe's schedule reads like the table in its document."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# A constant, or the two ends of a linear ramp.
Piece = float | tuple[float, float]


@dataclass(frozen=True)
class Schedule:
    """A value by epoch, in pieces.

    ``Schedule({1: 0.0, 4: (0.005, 0.01), 11: 0.01})`` is 0 in epochs 1 to 3, rises in a straight line from .005 in
    epoch 4 to .01 in epoch 10, and stays there.

    Attributes:
        pieces: first epoch of each piece -> its value, or the values in its first and in its last epoch.

    Raises:
        ValueError: no piece starts at epoch 1, or the last one, which has no end, is a ramp.
    """

    pieces: Mapping[int, Piece]

    def __post_init__(self) -> None:
        starts = list(self.pieces)
        if not starts or starts[0] != 1 or starts != sorted(starts):
            raise ValueError(f"a schedule's pieces start at epoch 1 and go up, not {starts}")
        if isinstance(self.pieces[starts[-1]], tuple):
            raise ValueError(f"the ramp from epoch {starts[-1]} has no end; add the piece that follows it")

    def at(self, epoch: int) -> float:
        """The value in ``epoch``, counted from 1."""
        first = max(start for start in self.pieces if start <= epoch)
        piece = self.pieces[first]
        if not isinstance(piece, tuple):
            return piece
        last = min(start for start in self.pieces if start > first) - 1
        share = (epoch - first) / (last - first) if last > first else 1.0
        return piece[0] + share * (piece[1] - piece[0])

    @property
    def ever(self) -> bool:
        """Whether the value is other than zero in any epoch."""
        return any(any(piece) if isinstance(piece, tuple) else piece for piece in self.pieces.values())

    def __str__(self) -> str:
        """As `schedule_of` reads it: ``1:0 4:.005/.01 11:.01``, or one number."""
        if not isinstance(self.pieces[1], tuple) and len(self.pieces) == 1:
            return _number(self.pieces[1])
        return " ".join(
            f"{start}:{'/'.join(map(_number, piece)) if isinstance(piece, tuple) else _number(piece)}"
            for start, piece in self.pieces.items()
        )

    def rises_at(self, epoch: int) -> bool:
        """Whether the value is larger than an epoch earlier; before the first epoch it was whatever it starts at."""
        return epoch > 1 and self.at(epoch) > self.at(epoch - 1)

    def plus(self, amount: float) -> "Schedule":
        """The schedule with ``amount`` added wherever it is not zero: what a retry raises."""

        def raised(value: float) -> float:
            return value + amount if value else value

        return Schedule(
            {
                start: (raised(piece[0]), raised(piece[1])) if isinstance(piece, tuple) else raised(piece)
                for start, piece in self.pieces.items()
            }
        )


def constant(value: float) -> Schedule:
    """The same value in every epoch."""
    return Schedule({1: value})


def schedule_of(text: str) -> Schedule:
    """A schedule as typed: first epochs and values, ``1:0 4:.005/.01 11:.01``; one number is that in every epoch.

    Raises:
        ValueError: anything else.
    """
    if ":" not in text:
        return constant(_finite(text))
    pieces: dict[int, Piece] = {}
    for part in text.split():
        start, _, values = part.partition(":")
        ends = [_finite(value) for value in values.split("/")]
        if len(ends) > 2 or int(start) in pieces:
            raise ValueError(f"{part!r} is no EPOCH:VALUE or EPOCH:FROM/TO, or names an epoch again")
        pieces[int(start)] = ends[0] if len(ends) == 1 else (ends[0], ends[1])
    return Schedule(pieces)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _number(value: float) -> str:
    """The shortest spelling that reads back as the same number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def ramped_together(schedules: Mapping[str, Schedule], epochs: int) -> list[str]:
    """A sentence for each set of two schedules or more that rise in the same epochs.

    P6b raised its margin and its share of the loss in the same epoch, and collapsed in it
    (docs/sources.md, "Reported metrics"): when two things change together, nobody can tell which one did it.
    """
    together: dict[tuple[str, ...], list[int]] = {}
    for epoch in range(2, epochs + 1):
        rising = tuple(name for name, schedule in schedules.items() if schedule.rises_at(epoch))
        if len(rising) > 1:
            together.setdefault(rising, []).append(epoch)
    return [
        f"{', '.join(names[:-1])} and {names[-1]} rise at once in {_epochs(when)}; if the run collapses there, nothing "
        "will tell which of them did it"
        for names, when in together.items()
    ]


def _epochs(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"epoch {numbers[0]}"
    return f"epochs {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
