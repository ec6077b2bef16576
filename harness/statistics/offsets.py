"""Gate A: which chunk does the prediction resemble most?"""

from typing import Any

import numpy as np

from lvm_gates.harness.base.estimate import UNDEFINED, cluster_mean, paired_difference
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.observations import Observations

TARGET_OFFSET = 1


def offset_sweep(observed: Observations) -> dict[str, Any]:
    """Mean cosine to the chunk at each offset, and the margin of +1 over its best rival.

    The margin is the paired difference to the rival with the highest mean, so its interval is that of a difference on
    the same windows. ``peak`` is the offset with the highest mean, None where nothing is defined.

    Returns:
        ``c`` (offset -> Estimate), ``margin``, ``margin_vs_last`` (k=0), ``margin_vs_previous`` (k=-1), ``peak``.
    """
    kept = observed.offset_exists
    cosines, clusters = observed.offset[kept], observed.clusters[kept]
    by_offset = dict(zip(OFFSETS, cosines.T, strict=True))
    c = {str(k): cluster_mean(values, clusters) for k, values in by_offset.items()}
    means = {k: c[str(k)].value for k in OFFSETS}
    if not np.isfinite(list(means.values())).all():
        undefined = UNDEFINED._replace(n=len(clusters), articles=c["1"].articles)
        return {"c": c, **dict.fromkeys(("margin", "margin_vs_last", "margin_vs_previous"), undefined), "peak": None}
    rivals = [k for k in OFFSETS if k != TARGET_OFFSET]
    best = max(rivals, key=means.__getitem__)
    target = by_offset[TARGET_OFFSET]
    return {
        "c": c,
        "margin": paired_difference(target, by_offset[best], clusters),
        "margin_vs_last": paired_difference(target, by_offset[0], clusters),
        "margin_vs_previous": paired_difference(target, by_offset[-1], clusters),
        "peak": max(OFFSETS, key=means.__getitem__),
    }
