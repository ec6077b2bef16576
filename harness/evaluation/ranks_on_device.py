"""What is ahead of targets, counted with torch: float64 throughout.

Where float64 is cheap there is nothing to gain from settling most comparisons in float32 and looking at the rest again,
as `lvm_gates.harness.evaluation.ranks` does on a CPU. The counts are the same.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from lvm_gates.harness.evaluation.ranks import TIE


def uploaded(values: Shaped[np.ndarray, "*shape"], device: torch.device) -> Shaped[Tensor, "*shape"]:
    """An array on a device, without waiting for what the device is at; on a CPU it is not copied."""
    return torch.from_numpy(values).to(device, non_blocking=True)


def units(vectors: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
    """Unit vectors in float64; rows without a direction become NaN throughout.

    Float32 or less: squares of a float64 could over- and underflow (`lvm_gates.harness.base.vectors.unit`).
    """
    wide = vectors.double()
    norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return torch.where(norm.isfinite(), wide / norm, torch.nan)


def count_ahead(gap: Float[Tensor, "b m"], counts: Bool[Tensor, "b m"]) -> Int[Tensor, "b 2"]:
    """How many of the candidates that count are ahead of each target, and how many tie with it.

    Args:
        gap: cosine of the prediction to each candidate minus that to the target; NaN, and so in no count, where there
            is no prediction.
        counts: which candidates do.
    """
    return torch.stack([((gap > TIE) & counts).sum(dim=1), ((gap.abs() <= TIE) & counts).sum(dim=1)], dim=1)
