"""Ranks in a bank that streams, counted on an accelerator: float64 throughout, nothing comes back but the counts.

The same counts as those of `lvm_gates.harness.evaluation.bank` without a device. Where float64 is cheap there is
nothing to gain from settling most comparisons in float32 and looking at the rest again, as a CPU does.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lvm_gates.harness.corpus.equality import SAME
from lvm_gates.harness.evaluation.ranks import TIE, Pairs

# Windows compared with a block of candidates at once: 512 MB of float64 with 16,384 of them, a table a time.
_WINDOWS = 4096


def count_on(
    device: torch.device,
    predictions: Sequence[Float[np.ndarray, "n d"]],
    target: Sequence[Float[np.ndarray, " n"]],
    targets: Float[np.ndarray, "n d"],
    blocks: Iterable[tuple[Float[np.ndarray, "m d"], Pairs]],
) -> Int[np.ndarray, "p 3 n"]:
    """For each predictor and window how many candidates are ahead of the target, tie with it, and equal it.

    Args:
        device: where all of it is computed.
        predictions: of each predictor, unit vectors, NaN throughout where there is no direction.
        target: of each predictor the cosines to the targets.
        targets: unit vectors.
        blocks: unit vectors of candidates, and which pairs of a window and a candidate of the block do not count.
    """
    asked, cosine = (torch.from_numpy(np.stack(own)).to(device) for own in (predictions, target))
    answers = torch.from_numpy(targets).to(device)
    found = torch.zeros(len(asked), 3, len(targets), dtype=torch.int64, device=device)
    for vectors, barred in blocks:
        units = torch.from_numpy(vectors).to(device).double()
        units /= torch.linalg.vector_norm(units, dim=1, keepdim=True)
        for begin in range(0, len(targets), _WINDOWS):
            part = slice(begin, min(begin + _WINDOWS, len(targets)))
            mine = (barred.window >= part.start) & (barred.window < part.stop)
            window, candidate = (torch.from_numpy(one[mine]).to(device) for one in barred)
            found[:, :, part] += count_block(
                asked[:, part], cosine[:, part], answers[part], units, window - part.start, candidate
            )
    return np.asarray(found.cpu().numpy())


def count_block(
    predictions: Float[Tensor, "p b d"],
    target: Float[Tensor, "p b"],
    targets: Float[Tensor, "b d"],
    candidates: Float[Tensor, "m d"],
    window: Int[Tensor, " k"],
    candidate: Int[Tensor, " k"],
) -> Int[Tensor, "p 3 b"]:
    """The same of some windows and one block of candidates; the pairs that do not count by their two places."""
    counts = torch.ones(len(targets), len(candidates), dtype=torch.bool, device=targets.device)
    counts[window, candidate] = False
    # Unit vectors at a distance of d have cosine 1 - d^2 / 2.
    equal = (targets @ candidates.T >= 1.0 - SAME**2 / 2) & counts
    rivals = counts & ~equal
    found = []
    for own, cosine in zip(predictions, target, strict=True):
        gap = own @ candidates.T - cosine[:, None]  # NaN, and so in no count, where there is no prediction
        ahead, tied = (gap > TIE) & rivals, (gap.abs() <= TIE) & rivals
        found.append(torch.stack([of.sum(dim=1) for of in (ahead, tied, equal & ~gap.isnan())]))
    return torch.stack(found)
