"""The metrics a run is steered by: loss and cosine of the unit prediction on VAL windows."""

from typing import NamedTuple

import numpy as np
import torch

from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.models.base import NextEmbedding
from lvm_gates.models.position import with_position
from lvm_gates.trainers.batches import Gatherer
from lvm_gates.trainers.losses import cosine, mse_loss
from lvm_gates.trainers.recipe import Needs

BATCH_SIZE = 512


class Validation(NamedTuple):
    """Means over windows: MSE of the unit prediction, equal to 2 (1 - cosine) / D; cosine; cosine minus the last's."""

    loss: float
    cosine: float
    margin_vs_last: float


@torch.inference_mode()
def validate(
    model: NextEmbedding, windows: Windows, position_scale: float | None, device: torch.device, target: int = 1
) -> Validation:
    """Score a network on windows, against the chunk at offset ``target``; it is left in eval mode."""
    model.eval()
    totals = np.zeros(3)
    gatherer = Gatherer(Needs(target=target), device, np.random.default_rng(0), windows.targets)
    for batch in gatherer.batches(windows, np.arange(len(windows)), BATCH_SIZE):
        prediction = model(with_position(batch.context, position_scale))
        cos = float(cosine(prediction, batch.target))
        margin_vs_last = cos - float(cosine(prediction, batch.context[:, -1]))
        totals += len(prediction) * np.array([float(mse_loss(prediction, batch.target)), cos, margin_vs_last])
    return Validation(*(totals / len(windows)).tolist())
