"""Latency as text: what a model takes alone, and what changed beside the accepted one."""

from collections.abc import Sequence

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.latency.change import QUANTILES, Change, milliseconds, to_reference
from lvm_gates.harness.latency.look import Verdict
from lvm_gates.harness.latency.records import Latency

_UNSURE = "undecided: the interval holds the tolerance; look again when less else runs, or with more --seconds"


def render_alone(measured: Sequence[Latency]) -> str:
    """A table of one model, at most eighty columns wide."""
    lines = [f"{measured[0].candidate.name}, {_asked(measured[0])}"]
    lines.append(f"{'B':>5} {'':<4} {'ms':>10} {'products [99 %]':>26}")
    for one in measured:
        for quantile in QUANTILES:
            ratio = to_reference(one.candidate, quantile)
            lines.append(
                f"{one.batch:>5} {quantile:<4} {milliseconds(one.candidate, quantile):>10.3g} {_interval(ratio):>26}"
            )
    lines.append("products: of these frames, 320 at least, with 512 columns, in float32, in the same process")
    return "\n".join(lines) + "\n"


def render_verdict(verdict: Verdict, tolerance: float) -> str:
    """Tables of both looks, and a line that says what got slower."""
    lines = _table(verdict.first, tolerance)
    if verdict.second:
        lines += ["", "a second look, since something seemed slower:", *_table(verdict.second, tolerance)]
    marks = [one.mark(tolerance) for one in verdict.first]
    if "undecided" in marks:
        lines.append(_UNSURE)
    if verdict.slower:
        lines += [
            f"SLOWER  B={one.batch} {one.quantile}: {one.ratio.value:.2f} times, tolerance {tolerance:g}"
            for one in verdict.slower
        ]
    elif "SLOWER" in marks:
        lines.append("not slower: the second look did not agree with the first")
    else:
        lines.append(f"nothing is slower than {tolerance:g} times")
    return "\n".join(lines) + "\n"


def _table(changes: Sequence[Change], tolerance: float) -> list[str]:
    lines = [f"{'B':>5} {'':<4} {'accepted ms':>12} {'candidate ms':>12} {'ratio [99 %]':>24}  mark"]
    for one in changes:
        lines.append(
            f"{one.batch:>5} {one.quantile:<4} {one.accepted:>12.3g} {one.candidate:>12.3g} "
            f"{_interval(one.ratio):>24}  {one.mark(tolerance)}"
        )
    return lines


def _interval(ratio: Estimate) -> str:
    return f"{ratio.value:.3g} [{ratio.low:.3g}, {ratio.high:.3g}]"


def _asked(one: Latency) -> str:
    return f"{one.context} frames of {one.dim} dimensions on {one.device}, one thread"
