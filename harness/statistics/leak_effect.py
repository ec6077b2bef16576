"""What leaked windows would have done to the metrics of a model: each with them and without."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.base.estimate import Estimate, cluster_share
from lvm_gates.harness.base.record import Count, Record
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.statistics.offsets import OffsetSweep
from lvm_gates.harness.statistics.retrieval import Retrieval
from lvm_gates.harness.statistics.rollout import Rollout
from lvm_gates.harness.statistics.skill import SkillInputs, gain_of
from lvm_gates.harness.statistics.split import BySplit
from lvm_gates.harness.statistics.task_skill import SkillStatistics


class WithAndWithout(Record, frozen=True, kw_only=True):
    """A metric with the leaked windows and without them."""

    whole: Estimate = msgspec.field(name="with")
    kept: Estimate = msgspec.field(name="without")


class LeakEffect(Record, frozen=True, kw_only=True):
    """What the leaked windows of one split would have done.

    Attributes:
        windows: of the split.
        leaked: of them, left out of every metric.
        share: of the windows that are leaked.
        metrics: name -> metric.
    """

    windows: Count
    leaked: Count
    share: Estimate
    metrics: dict[str, WithAndWithout] = msgspec.field(name="figures")


def effect(
    kept: Mapping[str, BySplit[Any]],
    whole: Mapping[str, BySplit[Any]],
    observed: Mapping[str, Observations],
    left_out: Mapping[str, Bool[np.ndarray, " _"]],
) -> dict[str, LeakEffect]:
    """Leaked windows of each split, and the main metrics with and without them.

    Args:
        kept: statistics of gates A-E without the leaked windows.
        whole: the same of all windows.
        observed: split -> observations of all windows.
        left_out: split -> which of them are leaked.

    Returns:
        split -> what they would have done.
    """
    found = {}
    for split, mask in left_out.items():
        without, all_of_them = _main(kept, split), _main(whole, split)
        found[split] = LeakEffect(
            windows=len(mask),
            leaked=int(mask.sum()),
            share=cluster_share(mask.astype(np.float64), observed[split].clusters),
            metrics={name: WithAndWithout(whole=all_of_them[name], kept=without[name]) for name in without},
        )
    return found


def with_skill(
    effects: Mapping[str, LeakEffect],
    found: SkillStatistics,
    observed: Mapping[str, Observations],
    inputs: Mapping[str, SkillInputs],
) -> dict[str, LeakEffect]:
    """The same with F among the metrics.

    Args:
        effects: of each split.
        found: what profile `skill` says without the leaked windows.
        observed: split -> observations of all windows.
        inputs: split -> what to compare with.
    """
    told = {}
    for split, one in effects.items():
        kept = found.of(split).gain
        whole = gain_of(observed[split], inputs[split].with_leaked) if one.leaked else kept
        told[split] = msgspec.structs.replace(one, metrics={**one.metrics, "F": WithAndWithout(whole=whole, kept=kept)})
    return told


def _main(gates: Mapping[str, BySplit[Any]], split: str) -> dict[str, Estimate]:
    sweep: OffsetSweep = gates["A"].of(split)
    ranks: Retrieval = gates["B"].of(split)
    closed_loop: Rollout = gates["D"].of(split)
    return {
        "c(+1)": sweep.c["1"],
        "margin": sweep.margin,
        "R@1": ranks.article.r1,
        "MRR": ranks.article.mrr,
        "MRR novel": ranks.novel.mrr,
        "rollout": closed_loop.mean,
    }
