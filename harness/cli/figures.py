"""Figures as text."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lvm_gates.harness.base.estimate import Estimate


def with_interval(estimate: "Estimate", *, count: bool = True) -> str:
    """``.457 [.450, .464] n=120``; the interval is left out where none is defined."""
    value, low, high, n = estimate[:4]
    interval = f" [{_short(low)}, {_short(high)}]" if low == low else ""  # NaN differs from itself
    return f"{_short(value)}{interval}{f' n={n:,}' if count else ''}"


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
