"""The figures a run is steered by: loss and cosine of the unit prediction on VAL windows."""

from typing import NamedTuple

import numpy as np
import torch

from harness.windows import Windows
from models.base import NextEmbedding
from models.position import append_position
from trainers.batches import batches
from trainers.losses import cosine, mse_loss

BATCH_SIZE = 512


class Validation(NamedTuple):
    """Means over windows: MSE of the unit prediction, equal to 2 (1 - cosine) / D, and the cosine."""

    loss: float
    cosine: float


@torch.inference_mode()
def validate(model: NextEmbedding, windows: Windows, position_scale: float | None, device: torch.device) -> Validation:
    """Score a network on windows; it is left in eval mode."""
    model.eval()
    loss = total = 0.0
    for batch in batches(windows, np.arange(len(windows)), BATCH_SIZE, device):
        x = batch.context if position_scale is None else append_position(batch.context, position_scale)
        prediction = model(x)
        loss += float(mse_loss(prediction, batch.target)) * len(x)
        total += float(cosine(prediction, batch.target)) * len(x)
    return Validation(loss / len(windows), total / len(windows))
