"""Figures as people read them: fixed decimals, a sign only where a figure can have one, words where there is none."""

from collections.abc import Mapping
from typing import Any

VERDICTS = {"release": "RELEASE", "hold": "HOLD", "blocked": "BLOCKED"}
UNDEFINED = "undefined"

# The relation of a check, short enough for a column; "low" and "high" are the ends of the interval.
RELATIONS = {"lower bound >": "low >", "upper bound <": "high <"}


def number(value: float | None, *, digits: int = 3, signed: bool = False, bare: bool = False) -> str:
    """A number with fixed decimals, or "undefined".

    Args:
        value: None where nothing is defined.
        digits: decimals.
        signed: whether a plus is written (differences; a minus always is).
        bare: leave out the zero before the point, as the tables of this field do.
    """
    if value is None:
        return UNDEFINED
    rounded = round(float(value), digits) + 0.0  # adding zero turns -0.0 into 0.0
    text = f"{rounded:+.{digits}f}" if signed and rounded else f"{rounded:.{digits}f}"
    return text.replace("0.", ".", 1) if bare and abs(rounded) < 1 else text


def figure_text(figure: Mapping[str, Any], *, digits: int = 3, signed: bool = False, bare: bool = False) -> str:
    """``0.408 [0.389, 0.427]``; the value alone where no interval is defined."""
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    text = number(value, digits=digits, signed=signed, bare=bare)
    if value is None or low is None or high is None:
        return text
    ends = (number(end, digits=digits, signed=signed, bare=bare) for end in (low, high))
    return f"{text} [{', '.join(ends)}]"


def limit_text(limit: float, *, bare: bool = False) -> str:
    """A threshold: two decimals, three where two do not hold it, none where it is zero."""
    digits = 2 if round(limit, 2) == limit else 3
    return number(limit, digits=digits, bare=bare) if limit else "0"


def count(value: int | None) -> str:
    """``3,185``."""
    return "unknown" if value is None else f"{value:,}"


def spread(counts: list[int]) -> str:
    """``3,185``, or ``3,120-3,185`` where the figures of a gate have different n."""
    low, high = min(counts), max(counts)
    return count(low) if low == high else f"{count(low)}-{count(high)}"


def blocks(audit: Mapping[str, Any]) -> bool:
    """Whether an audit stands in the way of a release; scorecards of earlier versions do not say, and all did."""
    return bool(audit.get("blocks", audit["status"] != "pass"))
