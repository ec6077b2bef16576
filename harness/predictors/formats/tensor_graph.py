"""A graph that torch runs, as a predictor that answers tensors."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor


@dataclass(frozen=True)
class TensorGraphPredictor:
    """See `harness.predictors.tensors.TensorPredictor`.

    Attributes:
        name: the file as given.
        run: contexts to what the graph answers, both on ``device``.
        device: where it runs.
    """

    name: str
    run: Callable[[Float[Tensor, "b c d"]], Tensor]
    device: torch.device

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Shaped[np.ndarray, "..."]:
        """What the graph answers; whoever asks checks its shape."""
        x = torch.from_numpy(np.array(contexts, dtype=np.float32, order="C")).to(self.device)
        answer: Shaped[np.ndarray, ...] = self.predict_tensor(x).cpu().numpy()
        return answer

    def predict_tensor(self, contexts: Float[Tensor, "b c d"]) -> Shaped[Tensor, "..."]:
        """The same for contexts that are on the device, and left there."""
        with torch.inference_mode():
            return self.run(contexts).float()
