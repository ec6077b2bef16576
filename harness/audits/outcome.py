"""What an audit finds, and what follows from it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.evaluation.session_data import Inputs

Status = Literal["pass", "fail", "not checkable"]


@dataclass(frozen=True)
class Audit:
    """The outcome of one audit.

    Attributes:
        name: of the audit.
        status: "pass", "fail" or "not checkable"; an audit that could not look never says "pass".
        detail: one sentence with the figures.
        figures: name -> Estimate.
        required: whether a release needs it checked. An audit that is not required describes the corpus, without a
            threshold.
    """

    name: str
    status: Status
    detail: str
    figures: dict[str, Estimate]
    required: bool = True

    @property
    def blocks(self) -> bool:
        """Whether no model may be released on this data: a failure, or what a release needs could not be checked."""
        return self.status == "fail" or (self.status == "not checkable" and self.required)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "figures": self.figures, "blocks": self.blocks}

    def save(self, path: Path) -> None:
        """Write atomically; another process may be waiting to read. NPZ keeps every bit of a figure, NaN included."""
        arrays = {
            **{field: np.array(getattr(self, field)) for field in ("name", "status", "detail", "required")},
            "labels": np.array(list(self.figures), dtype=np.str_),
            "figures": np.array(list(self.figures.values()), dtype=np.float64).reshape(-1, len(Estimate._fields)),
        }
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Audit":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            given = {field: stored[field].item() for field in ("name", "status", "detail", "required")}
            rows = zip(stored["labels"].tolist(), stored["figures"].tolist(), strict=True)
            figures = {
                label: Estimate(value, low, high, int(n), int(articles), df)
                for label, (value, low, high, n, articles, df) in rows
            }
        return cls(figures=figures, **given)


Auditor = Callable[[Inputs], Audit]


def describing(name: str, detail: str, figures: Mapping[str, Estimate]) -> Audit:
    """The outcome of an audit without a threshold: "pass" where each of its figures has a value."""
    absent = [label for label, figure in figures.items() if not np.isfinite(figure.value)]
    if absent:
        return not_described(name, f"nothing to measure {', '.join(absent)} on; {detail}", figures)
    return Audit(name, "pass", detail, dict(figures), required=False)


def not_described(name: str, why: str, figures: Mapping[str, Estimate] | None = None) -> Audit:
    """The outcome of an audit without a threshold that could not look, or not everywhere."""
    detail = f"{why}; it only describes the corpus and blocks nothing"
    return Audit(name, "not checkable", detail, dict(figures or {}), required=False)


def listing(figures: Mapping[str, Estimate], *, signed: bool = False) -> str:
    """``lag 1 VAL .457 [.450, .464]; …``: figures with their intervals, as sentences of a report want them."""
    return "; ".join(f"{name} {written(figure, signed=signed)}" for name, figure in figures.items())


def written(figure: Estimate, *, signed: bool = False) -> str:
    """One figure with its interval, where it has one."""
    if not np.isfinite(figure.value):
        return "undefined"
    value, low, high = (f"{part:{'+' if signed else ''}.3f}" for part in figure[:3])
    return f"{value} [{low}, {high}]" if np.isfinite(figure.low) else value
