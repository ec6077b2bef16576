"""Gate D: does the prediction survive being fed its own output?"""

from typing import Any

from lvm_gates.harness.base.estimate import cluster_mean
from lvm_gates.harness.evaluation.observations import Observations


def rollout(observed: Observations) -> dict[str, Any]:
    """Closed-loop cosine to the true chunk: at each horizon h = 1..H, and its mean over them."""
    kept = observed.rollout_exists
    cosines, clusters = observed.rollout[kept], observed.clusters[kept]
    return {
        "mean": cluster_mean(cosines.mean(axis=1), clusters),
        "by_horizon": [cluster_mean(column, clusters) for column in cosines.T],
    }
