"""Profile `skill` on both splits: the task's own metric picked out, and how much of it is left on OOD."""

from collections.abc import Mapping

import msgspec
import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, independent_ratio
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.statistics.skill import SkillInputs, skill_metrics
from lvm_gates.harness.statistics.skill_metrics import SkillMetrics, TaskSkill
from lvm_gates.harness.statistics.split import BySplit


class SkillStatistics(BySplit[TaskSkill], frozen=True, kw_only=True):
    """Everything that profile `skill` judges.

    Attributes:
        task: what the session judges by.
        retained: share of the VAL metric that is left on OOD.
    """

    task: str
    retained: Estimate


def skill_statistics(
    observed: Mapping[str, Observations],
    inputs: Mapping[str, SkillInputs],
    task: str,
    left_out: Mapping[str, Bool[np.ndarray, " _"]] | None = None,
) -> SkillStatistics:
    """The statistics of profile `skill`.

    Args:
        observed: split -> observations.
        inputs: split -> what to compare with.
        task: "frontier", "retrieval" or "decoding".
        left_out: split -> windows that are leaked; by default those that the inputs name.
    """
    found = {}
    for split in JUDGED:
        given = inputs[split] if left_out is None else inputs[split].without(left_out[split])
        values = skill_metrics(observed[split], given)
        found[split] = TaskSkill(
            **msgspec.structs.asdict(values),
            n=len(given.kept),
            articles=len(np.unique(given.clusters)),
            task_metric=_task_metric(values, task),
            rollout_worst=min((step.difference for step in values.rollout), key=_lower_bound, default=UNDEFINED),
        )
    val, ood = found["VAL"], found["OOD"]
    return SkillStatistics(task=task, val=val, ood=ood, retained=_retained(val, ood, task))


def _task_metric(values: SkillMetrics, task: str) -> Estimate:
    if task != "frontier":
        return _of_task(values, task)
    # Past the largest cosine of any rival the frontier is flat, and a gain in cosine counts there by the same rule.
    gains = [values.gain, values.excess_cosine]
    return max((g for g in gains if g.low > 0), key=lambda g: g.value, default=gains[0])


def _of_task(values: SkillMetrics, task: str) -> Estimate:
    return {"retrieval": values.mrr_vs_best, "decoding": values.cosine_vs_best}.get(task, UNDEFINED)


def _lower_bound(difference: Estimate) -> float:
    # NaN sorts nowhere: a horizon at which the rollout broke down is worse than any number.
    return difference.low if np.isfinite(difference.low) else float("-inf")


def _retained(val: TaskSkill, ood: TaskSkill, task: str) -> Estimate:
    """Share of the VAL metric that is left on OOD: of one and the same metric, whichever the task judges by on VAL."""
    if task != "frontier":
        before, after = _of_task(val, task), _of_task(ood, task)
    elif val.task_metric == val.gain:
        before, after = val.gain, ood.gain
    elif val.task_metric == val.excess_cosine:
        before, after = val.excess_cosine, ood.excess_cosine
    else:
        before, after = val.gain, ood.gain
    found = independent_ratio(after, before)
    return found if before.value > 0 else found.replace(value=float("nan"), low=float("nan"), high=float("nan"))
