"""Metrics as people read them: fixed decimals, a sign only where a metric can have one, words where there is none."""

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.metric_text import UNDEFINED, metric_text, number

__all__ = ["RELATIONS", "UNDEFINED", "VERDICTS", "count", "count_range", "limit_text", "metric_text", "number", "short"]
VERDICTS = {"release": "RELEASE", "hold": "HOLD", "blocked": "BLOCKED"}

# The relation of a check, short enough for a column; "low" and "high" are the ends of the interval.
RELATIONS = {"lower bound >": "low >", "upper bound <": "high <"}


def short(metric: Estimate | None) -> str:
    """The value alone, for a narrow column; a dash where it was not computed, which is another thing than undefined."""
    return "-" if metric is None else number(metric.value, bare=True).replace(UNDEFINED, "undef")


def limit_text(limit: float, *, bare: bool = False) -> str:
    """A threshold: two decimals, three where two do not hold it, none where it is zero."""
    digits = 2 if round(limit, 2) == limit else 3
    return number(limit, digits=digits, bare=bare) if limit else "0"


def count(value: int | None) -> str:
    """``3,185``."""
    return "unknown" if value is None else f"{value:,}"


def count_range(counts: list[int]) -> str:
    """``3,185``, or ``3,120-3,185`` where the metrics of a gate have different n."""
    low, high = min(counts), max(counts)
    return count(low) if low == high else f"{count(low)}-{count(high)}"
