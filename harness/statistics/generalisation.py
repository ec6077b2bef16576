"""Gate E: does the model do as well on articles of another kind?"""

from lvm_gates.harness.base.estimate import Estimate, absolute, cluster_mean, independent_difference
from lvm_gates.harness.base.record import Record
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.statistics.split import BySplit

# Contexts whose mean adjacent cosine lies here are comparable between splits; both edges belong to the bin.
NORMAL_COHERENCE = (0.45, 0.55)


class CoherenceBins(Record, frozen=True, kw_only=True):
    """Mean cos(prediction, target) of contexts whose mean adjacent cosine is in, below or above the normal bin."""

    normal: Estimate
    low: Estimate
    high: Estimate


class Generalisation(BySplit[CoherenceBins], frozen=True, kw_only=True):
    """Both splits by coherence, and how far they are apart.

    Attributes:
        delta: size of the difference between the normal bins.
    """

    delta: Estimate


def generalisation(val: Observations, ood: Observations) -> Generalisation:
    """Mean cos(prediction, target) in each coherence bin, and abs(VAL - OOD) in the normal one.

    Comparing inside a bin keeps a corpus of more repetitive articles from looking like better generalisation.
    """
    bins = _bins(val), _bins(ood)
    delta = absolute(independent_difference(bins[0].normal, bins[1].normal))
    return Generalisation(val=bins[0], ood=bins[1], delta=delta)


def _bins(observed: Observations) -> CoherenceBins:
    low, high = NORMAL_COHERENCE
    masks = {
        "normal": (observed.coherence >= low) & (observed.coherence <= high),
        "low": observed.coherence < low,
        "high": observed.coherence > high,
    }
    found = {name: cluster_mean(observed.cosine[mask], observed.clusters[mask]) for name, mask in masks.items()}
    return CoherenceBins(**found)
