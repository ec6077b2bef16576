"""What the original documents report of their models, as they report it (docs/sources.md, "Reported metrics")."""

import math
import tomllib
from pathlib import Path

import msgspec

from lvm_gates.harness.base.record import Record

FILE = Path(__file__).with_name("reported.toml")
HEADINGS = ("model", "val cosine, best", "margin", "R@5", "rollout", "gates")
CAPTION = (
    "as the original documents report them (docs/sources.md): another corpus, and a battery that measured other things "
    "under these names; no row here compares with one above"
)


class Reported(Record, frozen=True, kw_only=True):
    """One run of the original documents.

    Attributes:
        name: of the recipe.
        command: that repeats it with `lvm-train`.
        val_cosine: by epoch; NaN where none is recorded.
        collapse: when it collapsed, in words.
        margin: of the original battery, or what `fault` says.
        r5: R@5 of the original battery.
        rollout: of the original battery.
        gates: that it passed, of five.
        fault: what was wrong with the measurement.
    """

    name: str
    command: list[str]
    val_cosine: list[float] = msgspec.field(default_factory=list)
    collapse: str | None = None
    margin: float | None = None
    r5: float | None = None
    rollout: float | None = None
    gates: str | None = None
    fault: str = ""

    @property
    def best_cosine(self) -> float | None:
        """The largest validation cosine that is recorded."""
        return max((value for value in self.val_cosine if not math.isnan(value)), default=None)

    @property
    def is_measured(self) -> bool:
        """Whether any metric of it is recorded at all."""
        return any(value is not None for value in (self.best_cosine, self.margin, self.r5, self.rollout, self.gates))


def reported() -> list[Reported]:
    """Every run, planned ones too, in the order of the file."""
    return msgspec.convert(tomllib.loads(FILE.read_text())["recipe"], list[Reported])


def cells(one: Reported) -> list[str]:
    """A row under `HEADINGS`."""
    numbers = (one.best_cosine, one.margin, one.r5, one.rollout)
    return [one.name, *("-" if n is None else f"{n:.3f}".replace("0.", ".", 1) for n in numbers), one.gates or "-"]
