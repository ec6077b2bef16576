"""Gate E: does the model do as well on articles of another kind?"""

from typing import Any

from lvm_gates.harness.base.estimate import Estimate, absolute, cluster_mean, independent_difference
from lvm_gates.harness.evaluation.observations import Observations

# Contexts whose mean adjacent cosine lies here are comparable between splits; both edges belong to the bin.
NORMAL_COHERENCE = (0.45, 0.55)


def generalisation(val: Observations, ood: Observations) -> dict[str, Any]:
    """Mean cos(prediction, target) in each coherence bin, and abs(VAL - OOD) in the normal one.

    Comparing inside a bin keeps a corpus of more repetitive articles from looking like better generalisation.
    """
    bins = {"VAL": _bins(val), "OOD": _bins(ood)}
    delta = absolute(independent_difference(bins["VAL"]["normal"], bins["OOD"]["normal"]))
    return {"delta": delta, **bins}


def _bins(observed: Observations) -> dict[str, Estimate]:
    low, high = NORMAL_COHERENCE
    masks = {
        "normal": (observed.coherence >= low) & (observed.coherence <= high),
        "low": observed.coherence < low,
        "high": observed.coherence > high,
    }
    return {name: cluster_mean(observed.cosine[mask], observed.clusters[mask]) for name, mask in masks.items()}
