"""A gate of your own: is the model still near the target where it is at its worst?

    pytest gates/ --model=control:oracle --gate=python:examples.custom_gate:TAIL

A mean hides articles that a model cannot read at all. This gate looks at the fifth of the windows on which it does
worst.
"""

import numpy as np

from lvm_gates.harness.base.estimate import Estimate, cluster_mean
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.judging.gates import Gate
from lvm_gates.harness.judging.profile import Threshold


def tail(observed: Observations) -> dict[str, Estimate]:
    """Mean cos(prediction, target) over the fifth of the windows where it is lowest, clustered by article."""
    # NaN sorts last: a prediction without a direction must count among the worst.
    order = np.argsort(np.nan_to_num(observed.cosine, nan=-np.inf), kind="stable")
    worst = order[: len(order) // 5]
    return {"worst fifth": cluster_mean(observed.cosine[worst], observed.clusters[worst])}


TAIL = Gate(
    name="tail",
    title="worst fifth",
    question="Is the model still near the target where it is at its worst?",
    statistic=tail,
    thresholds=(
        Threshold(
            gate="tail",
            statistic="worst fifth",
            label="worst fifth",
            comparison="at_least",
            limits={"VAL": 0.30, "OOD": 0.25},
            source="an example; take yours from what your product bears",
        ),
    ),
    passed_by=("oracle",),
    failed_by=("random",),
    next_step="list the windows of the worst fifth from samples.npz: short chunks, or one kind of article?",
)
