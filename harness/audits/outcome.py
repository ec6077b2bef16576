"""What an audit finds, and what follows from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.metric_text import metric_text
from lvm_gates.harness.evaluation.session_data import Inputs

Status = Literal["pass", "fail", "not checkable"]


@dataclass(frozen=True)
class Audit:
    """The outcome of one audit.

    Attributes:
        name: of the audit.
        status: "pass", "fail" or "not checkable"; an audit that could not look never says "pass".
        detail: one sentence with the metrics.
        metrics: name -> Estimate.
        required: whether a release needs it checked. An audit that is not required describes the corpus, without a
            threshold.
    """

    name: str
    status: Status
    detail: str
    metrics: dict[str, Estimate]
    required: bool = True

    @property
    def blocks(self) -> bool:
        """Whether no model may be released on this data: a failure, or what a release needs could not be checked."""
        return self.status == "fail" or (self.status == "not checkable" and self.required)

    def save(self, path: Path) -> None:
        """Write atomically; another process may be waiting to read. NPZ keeps every bit of a metric, NaN included."""
        arrays = {
            **{field: np.array(getattr(self, field)) for field in ("name", "status", "detail", "required")},
            "labels": np.array(list(self.metrics), dtype=np.str_),
            "figures": np.array([msgspec.structs.astuple(f) for f in self.metrics.values()], dtype=np.float64).reshape(
                -1, len(Estimate.__struct_fields__)
            ),
        }
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Audit":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            given = {field: stored[field].item() for field in ("name", "status", "detail", "required")}
            rows = zip(stored["labels"].tolist(), stored["figures"].tolist(), strict=True)
            metrics = {
                label: Estimate(value, low, high, int(n), int(articles), df)
                for label, (value, low, high, n, articles, df) in rows
            }
        return cls(metrics=metrics, **given)


Auditor = Callable[[Inputs], Audit]


def describing(name: str, detail: str, metrics: Mapping[str, Estimate]) -> Audit:
    """The outcome of an audit without a threshold: "pass" where each of its metrics has a value."""
    absent = [label for label, metric in metrics.items() if not np.isfinite(metric.value)]
    if absent:
        return not_described(name, f"nothing to measure {', '.join(absent)} on; {detail}", metrics)
    return Audit(name, "pass", detail, dict(metrics), required=False)


def not_described(name: str, why: str, metrics: Mapping[str, Estimate] | None = None) -> Audit:
    """The outcome of an audit without a threshold that could not look, or not everywhere."""
    detail = f"{why}; it only describes the corpus and blocks nothing"
    return Audit(name, "not checkable", detail, dict(metrics or {}), required=False)


def listing(metrics: Mapping[str, Estimate], *, signed: bool = False) -> str:
    """``lag 1 VAL 0.457 [0.450, 0.464]; …``: metrics with their intervals, as sentences of a report want them."""
    return "; ".join(f"{name} {metric_text(metric, signed=signed)}" for name, metric in metrics.items())
