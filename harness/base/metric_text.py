"""Metrics as people read them, everywhere: fixed decimals, a sign only where one can be, words where there is none."""

import math

from lvm_gates.harness.base.estimate import Estimate

UNDEFINED = "undefined"
# What ought to be zero is off by 1e-15 at most (measured), and has no sign.
_ROUNDING = 1e-9


def number(value: float | None, *, digits: int = 3, signed: bool = False, bare: bool = False) -> str:
    """A number with fixed decimals, or "undefined".

    Args:
        value: None or NaN where nothing is defined.
        digits: decimals.
        signed: whether a plus is written (differences; a minus always is).
        bare: leave out the zero before the point, as the tables of this field do.
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    exact = 0.0 if abs(value) < _ROUNDING else float(value)
    # An end of an interval that rounds to zero keeps its sign, which says whether zero is inside.
    text = f"{exact:+.{digits}f}" if signed and exact else f"{exact:.{digits}f}"
    return text.replace("0.", ".", 1) if bare and abs(round(exact, digits)) < 1 else text


def metric_text(
    metric: Estimate, *, digits: int = 3, signed: bool = False, bare: bool = False, count: bool = False
) -> str:
    """``0.408 [0.389, 0.427]``; the value alone where no interval is defined.

    Args:
        metric: the value and its interval.
        digits: as of `number`, like ``signed`` and ``bare``.
        signed: whether a plus is written.
        bare: leave out the zero before the point.
        count: whether ``, n = 3,185`` follows.
    """
    text = number(metric.value, digits=digits, signed=signed, bare=bare)
    if all(map(math.isfinite, (metric.value, metric.low, metric.high))):
        ends = (number(end, digits=digits, signed=signed, bare=bare) for end in (metric.low, metric.high))
        text = f"{text} [{', '.join(ends)}]"
    return f"{text}, n = {metric.n:,}" if count else text
