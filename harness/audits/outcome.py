"""What an audit finds."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from harness.inputs import Inputs
from harness.stats import Estimate

Status = Literal["pass", "fail", "not checkable"]


@dataclass(frozen=True)
class Audit:
    """The outcome of one audit.

    Attributes:
        name: of the audit.
        status: "pass", "fail" or "not checkable".
        detail: one sentence with the figures.
        figures: name -> Estimate.
    """

    name: str
    status: Status
    detail: str
    figures: dict[str, Estimate]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "figures": self.figures}


Auditor = Callable[[Inputs], Audit]


def listing(figures: Mapping[str, Estimate], *, signed: bool = False) -> str:
    """``lag 1 VAL .457 [.450, .464]; …``: figures with their intervals, as sentences of a report want them."""
    return "; ".join(f"{name} {written(figure, signed=signed)}" for name, figure in figures.items())


def written(figure: Estimate, *, signed: bool = False) -> str:
    """One figure with its interval, where it has one."""
    value, low, high = (f"{part:{'+' if signed else ''}.3f}" for part in figure[:3])
    return f"{value} [{low}, {high}]" if np.isfinite(figure.low) else value
