"""Whether two rows of a leaderboard can be told apart: the paired difference of their skill on the same windows.

Two models share their windows and their rivals, so most of what makes each interval wide is common to both. F is the
MRR minus the frontier's at the model's cosine; the frontier that the report records is taken as known, which leaves a
difference of two numbers a window.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lvm_gates.harness.base.estimate import Estimate, paired_difference
from lvm_gates.harness.base.paths import is_file
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.files.npz_file import NpzFile
from lvm_gates.harness.results.folder import SAMPLES
from lvm_gates.harness.results.paired import Sampled, common_windows
from lvm_gates.harness.results.reading import Report, read_samples
from lvm_gates.harness.results.samples import member_name
from lvm_gates.harness.statistics.skill_metrics import TaskSkill

_NOVEL = POOLS.index("novel")
_LARGEST = 64 << 20
# Means recomputed from the samples agree with those of the scorecard by rounding alone, or they are of other windows.
_SAME = 1e-6


@dataclass(frozen=True)
class Ranked:
    """A model and the report that it is in."""

    report: Report
    name: str


def paired_skill(above: Ranked, below: Ranked, split: str) -> Estimate | None:
    """The skill of one model minus that of another, on the windows that both were judged on.

    Returns:
        None where they have no paired difference: other windows, metrics of two kinds, a report without samples, or
        one from before samples said which windows count.

    Raises:
        UserError: samples that are damaged.
    """
    first, second = _side(above, split), _side(below, split)
    if first is None or second is None or first.kind != second.kind:
        return None
    here, there = common_windows(first.sampled, second.sampled)
    if len(here) != len(first.own) or len(here) != len(second.own):
        return None
    kept = first.counted[here] & second.counted[there]
    articles = first.sampled.article[here][kept]
    found = paired_difference(first.own[here][kept], second.own[there][kept], articles)
    shift = first.skill - second.skill - found.value
    return found.replace(value=found.value + shift, low=found.low + shift, high=found.high + shift)


def beyond(skill: TaskSkill | None, task: str | None) -> bool:
    """Whether the task's metric is the gain in cosine: the frontier of rivals ends before the model's cosine."""
    if skill is None or task != "frontier":
        return False
    chosen = skill.task_metric.value
    return chosen == skill.excess_cosine.value and chosen != skill.gain.value


@dataclass(frozen=True)
class _Side:
    """One of the two.

    Attributes:
        kind: what its metric is a function of, and the rival that it is measured from.
        skill: the metric.
        sampled: its windows.
        own: one number a window, whose mean over those that count moves as the metric does.
        counted: which windows count.
    """

    kind: tuple[str, str | None]
    skill: float
    sampled: Sampled
    own: Float[np.ndarray, " n"]
    counted: Bool[np.ndarray, " n"]


def _side(one: Ranked, split: str) -> _Side | None:
    skill, task = one.report.card(one.name).skill.of(split), one.report.scorecard.task
    file = one.report.path.parent / SAMPLES
    if skill is None or not is_file(file) or member_name(split, one.name, "cosine") not in NpzFile.open(file).members:
        return None
    sampled = read_samples(one.report, one.name, split)
    counted = _counted(file, sampled, split)
    if counted is None or not counted.any():
        return None
    rank, cosine = 1.0 / sampled.rank[:, _NOVEL], sampled.cosine
    means = float(rank[counted].mean()), float(cosine[counted].mean())
    if not np.allclose(means, (skill.mrr.value, skill.cosine.value), rtol=0.0, atol=_SAME):
        return None
    value = skill.task_metric.value
    if task == "decoding" or beyond(skill, task):
        return _Side(("cosine", skill.best_cosine_control), value, sampled, cosine, counted)
    if task == "retrieval":
        return _Side(("rank", skill.best_mrr_control), value, sampled, rank, counted)
    return _Side(("frontier", None), value, sampled, np.asarray(rank - _slope(skill, means[1]) * cosine), counted)


def _counted(file: Path, sampled: Sampled, split: str) -> Bool[np.ndarray, " n"] | None:
    stored, key = NpzFile.open(file), f"{split}/near_duplicate"
    if key not in stored.members:
        return None
    near = stored.read([key], _LARGEST)[key]
    if near.shape != sampled.leaked.shape or near.dtype != np.bool_:
        return None
    return np.asarray(~(near | sampled.leaked))


def _slope(skill: TaskSkill, cosine: float) -> float:
    """Of the recorded frontier at a cosine; flat before its best rank and beyond its best cosine."""
    points = sorted((vertex.cosine.value, vertex.mrr.value) for vertex in skill.frontier.values())
    for (left, high), (right, low) in pairwise(points):
        if left < cosine <= right:
            return (low - high) / (right - left)
    return 0.0
