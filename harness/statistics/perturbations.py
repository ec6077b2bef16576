"""Gate C: does the prediction get worse when its context is spoiled?"""

import numpy as np

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, cluster_mean
from lvm_gates.harness.base.record import Record
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.perturbations import (
    CROSS_ARTICLE,
    REPEAT_LAST,
    REVERSE,
    SHUFFLE,
    ablation_names,
    leave_out_name,
)


class AblationEffects(Record, frozen=True, kw_only=True):
    """Mean change of cos(prediction, target) when the context is spoiled.

    Attributes:
        shuffle: its frames in another order.
        reverse: its frames from the last to the first.
        leave_one_out: the most harmful frame replaced by its neighbour.
        leave_one_out_by_frame: the same of each frame, oldest first.
        repeat_last: every frame replaced by the last.
        cross_article: the last frame replaced by one of another article.
    """

    shuffle: Estimate
    reverse: Estimate
    leave_one_out: Estimate
    leave_one_out_by_frame: list[Estimate]
    repeat_last: Estimate
    cross_article: Estimate


def ablation_effects(observed: Observations) -> AblationEffects:
    """Mean change of cos(prediction, target) under each ablation.

    ``leave_one_out`` is the effect of the most harmful frame, ``leave_one_out_by_frame`` that of each, oldest first: an
    optimal predictor of a Markov chain rightly ignores all but the last, so an average over frames would punish it
    (docs/sources.md, "Leave-one-out that restores the last frame").
    """
    names = ablation_names(observed.context)
    effect = {
        name: cluster_mean(values, observed.clusters) for name, values in zip(names, observed.ablation.T, strict=True)
    }
    crossed = observed.cross_exists
    effect[CROSS_ARTICLE] = cluster_mean(
        observed.ablation[crossed, names.index(CROSS_ARTICLE)], observed.clusters[crossed]
    )
    if observed.context < 2:  # one frame has no order, and no neighbour to take its place
        effect |= dict.fromkeys([SHUFFLE, REVERSE, leave_out_name(0)], UNDEFINED)
    by_frame = [effect[leave_out_name(frame)] for frame in range(observed.context)]
    # NaN sorts nowhere: any undefined frame makes the whole metric undefined.
    undefined = next((e for e in by_frame if np.isnan(e.value)), None)
    return AblationEffects(
        shuffle=effect[SHUFFLE],
        reverse=effect[REVERSE],
        leave_one_out=undefined or min(by_frame, key=lambda e: e.value),
        leave_one_out_by_frame=by_frame,
        repeat_last=effect[REPEAT_LAST],
        cross_article=effect[CROSS_ARTICLE],
    )
