"""Gate A: which chunk does the prediction resemble most?"""

from typing import Annotated

import msgspec
import numpy as np

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, cluster_mean, paired_difference
from lvm_gates.harness.base.record import Record
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.observations import Observations

TARGET_OFFSET = 1
OffsetName = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,3}$")]


class OffsetSweep(Record, frozen=True, kw_only=True):
    """Mean cosine of the prediction to the chunk at each offset.

    Attributes:
        c: offset, as text, -> mean cosine.
        margin: of +1 over the best other offset, paired.
        margin_vs_last: of +1 over 0, the last context frame.
        margin_vs_previous: of +1 over -1.
        peak: offset of the highest mean; None where one of them is not defined.
    """

    c: dict[OffsetName, Estimate]
    margin: Estimate
    margin_vs_last: Estimate
    margin_vs_previous: Estimate
    peak: Annotated[int, msgspec.Meta(ge=-999, le=999)] | None


def offset_sweep(observed: Observations) -> OffsetSweep:
    """Mean cosine to the chunk at each offset, and the margin of +1 over its best rival.

    The margin is the paired difference to the rival with the highest mean, so its interval is that of a difference on
    the same windows. ``peak`` is the offset with the highest mean, None where nothing is defined.
    """
    kept = observed.offset_exists
    cosines, clusters = observed.offset[kept], observed.clusters[kept]
    by_offset = dict(zip(OFFSETS, cosines.T, strict=True))
    c = {str(k): cluster_mean(values, clusters) for k, values in by_offset.items()}
    means = {k: c[str(k)].value for k in OFFSETS}
    if not np.isfinite(list(means.values())).all():
        nothing = UNDEFINED.replace(n=len(clusters), articles=c["1"].articles)
        return OffsetSweep(c=c, margin=nothing, margin_vs_last=nothing, margin_vs_previous=nothing, peak=None)
    rivals = [k for k in OFFSETS if k != TARGET_OFFSET]
    best = max(rivals, key=means.__getitem__)
    target = by_offset[TARGET_OFFSET]
    return OffsetSweep(
        c=c,
        margin=paired_difference(target, by_offset[best], clusters),
        margin_vs_last=paired_difference(target, by_offset[0], clusters),
        margin_vs_previous=paired_difference(target, by_offset[-1], clusters),
        peak=max(OFFSETS, key=means.__getitem__),
    )
