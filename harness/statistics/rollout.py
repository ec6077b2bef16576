"""Gate D: does the prediction survive being fed its own output?"""

from lvm_gates.harness.base.estimate import Estimate, cluster_mean
from lvm_gates.harness.base.record import Record
from lvm_gates.harness.evaluation.observations import Observations


class Rollout(Record, frozen=True, kw_only=True):
    """Closed-loop cosine to the true chunk.

    Attributes:
        mean: over all horizons.
        by_horizon: at h = 1..H.
    """

    mean: Estimate
    by_horizon: list[Estimate]


def rollout(observed: Observations) -> Rollout:
    """Closed-loop cosine to the true chunk: at each horizon h = 1..H, and its mean over them."""
    kept = observed.rollout_exists
    cosines, clusters = observed.rollout[kept], observed.clusters[kept]
    return Rollout(
        mean=cluster_mean(cosines.mean(axis=1), clusters),
        by_horizon=[cluster_mean(column, clusters) for column in cosines.T],
    )
