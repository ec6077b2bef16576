"""What got slower, and a second look before anybody is told so."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.evaluation.resolve_model import is_python
from lvm_gates.harness.latency.change import Change, changes
from lvm_gates.harness.latency.files import is_latency_file, read_latency
from lvm_gates.harness.latency.measure import Asked, measure
from lvm_gates.harness.latency.records import Latency, Times
from lvm_gates.harness.predictors.formats.load import digest

Again = Callable[[Sequence[int]], list[Change]]
"""Batch sizes, measured anew."""


class Look(NamedTuple):
    """A first look.

    Attributes:
        measured: the candidate's measurements, with the accepted model's where the two were timed in turns.
        changes: every metric; empty where there is nothing to compare with.
        again: for a second look; None where the models are not there as they were.
    """

    measured: list[Latency]
    changes: list[Change]
    again: Again | None


class Verdict(NamedTuple):
    """Of one comparison.

    Attributes:
        first: every metric.
        second: those of batch sizes with an alarm, measured anew; empty where there was no alarm or no way to measure.
        slower: the alarms that the second look confirmed, or that none could be taken at.
    """

    first: list[Change]
    second: list[Change]
    slower: list[Change]


def look(accepted: str | None, candidate: str, asked: Asked, batches: Sequence[int]) -> Look:
    """Measure what is a model, read what is a file of measurements, and compare.

    Args:
        accepted: a model as for ``--model``, a ``.json`` file of measurements, or None.
        candidate: the same.
        asked: what models are asked for; a file says it itself.
        batches: the same.

    Raises:
        UserError: one of them cannot be read, loaded or asked, or the two were not asked the same.
    """
    old, new = (
        read_latency(_path(one, asked)) if one and is_latency_file(one) else None for one in (accepted, candidate)
    )
    if stored := old or new:
        asked = replace(asked, context=stored[0].context, dim=stored[0].dim, device=stored[0].device)
        batches = [one.batch for one in stored]
    apart = accepted is not None and stored
    measured = new or measure(candidate, None if apart else accepted, asked, batches)
    if apart:
        old = old or measure(str(accepted), None, asked, batches)
    before = old[0].candidate if old else measured[0].accepted
    if before is None:
        return Look(measured, [], None)
    now = measured[0].candidate
    filed = [*([before] if old or accepted is None else []), *([now] if new else [])]
    there = all(_still_there(one, asked) for one in filed)

    def again(some: Sequence[int]) -> list[Change]:
        return beside(None, measure(now.name, before.name, asked, some))

    return Look(measured, beside(old, measured), again if there else None)


def judge(found: Sequence[Change], tolerance: float, again: Again | None) -> Verdict:
    """Whether anything got slower.

    Args:
        found: the first look.
        tolerance: ratio up to which nobody minds.
        again: measures these batch sizes anew; None where the models are not there.
    """
    alarms = [one for one in found if one.mark(tolerance) == "SLOWER"]
    if not alarms or again is None:
        return Verdict(list(found), [], alarms)
    second = again(sorted({one.batch for one in alarms}))
    confirmed = {(one.batch, one.quantile) for one in second if one.mark(tolerance) == "SLOWER"}
    return Verdict(list(found), second, [one for one in alarms if (one.batch, one.quantile) in confirmed])


def beside(accepted: Sequence[Latency] | None, candidate: Sequence[Latency]) -> list[Change]:
    """Every change between two files, or within one that holds both models.

    Raises:
        UserError: they were not asked the same, or a batch size is missing.
    """
    if accepted is None:
        return [change for one in candidate for change in changes(None, one)]
    old = {one.batch: one for one in accepted}
    if missing := sorted({one.batch for one in candidate} ^ set(old)):
        raise UserError(f"batch size {missing[0]} was measured of one model only; measure both at the same sizes.")
    for one in candidate:
        theirs = (old[one.batch].context, old[one.batch].dim, old[one.batch].device)
        if theirs != (one.context, one.dim, one.device):
            raise UserError(
                f"{one.candidate.name}: was asked for {one.context} frames of {one.dim} dimensions on {one.device}, "
                f"{old[one.batch].candidate.name} for {theirs[0]} of {theirs[1]} on {theirs[2]}; measure both alike."
            )
    return [change for one in candidate for change in changes(old[one.batch], one)]


def _path(name: str, asked: Asked) -> Path:
    return (asked.root or Path.cwd()) / name


def _still_there(times: Times, asked: Asked) -> bool:
    """Whether what a file of measurements names can be measured anew; a file never names code to be run."""
    if times.sha256 is None or is_python(times.name):
        return False
    files = {_path(name, asked): sha for name, sha in {**times.files, times.name: times.sha256}.items()}
    return all(is_file(path) and digest(path) == sha for path, sha in files.items())
