"""Ranks in a bank that streams, counted on an accelerator: nothing comes back but the counts.

The same counts as those of `lvm_gates.harness.evaluation.bank` without a device.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lvm_gates.harness.corpus.equality import SAME
from lvm_gates.harness.evaluation.ranks import Pairs
from lvm_gates.harness.evaluation.ranks_on_device import count_ahead, units, uploaded

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
    asked, cosine = (uploaded(np.stack(own), device) for own in (predictions, target))
    answers = uploaded(targets, device)
    found = torch.zeros(len(asked), 3, len(targets), dtype=torch.int64, device=device)
    for vectors, barred in blocks:
        candidates = units(uploaded(vectors, device))
        for begin in range(0, len(targets), _WINDOWS):
            part = slice(begin, min(begin + _WINDOWS, len(targets)))
            mine = (barred.window >= part.start) & (barred.window < part.stop)
            window, candidate = (uploaded(one[mine], device) for one in barred)
            found[:, :, part] += count_block(
                asked[:, part], cosine[:, part], answers[part], candidates, window - part.start, candidate
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
        same = (equal & ~gap.isnan()).sum(dim=1)
        found.append(torch.stack([*count_ahead(gap, rivals).T, same]))
    return torch.stack(found)
