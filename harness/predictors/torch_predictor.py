"""A checkpoint as a predictor: embeddings in, embeddings out, in float32."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lvm_gates.harness.base.errors import UserError
from lvm_gates.models.base import NextEmbedding
from lvm_gates.models.position import with_position


@dataclass(frozen=True)
class TorchPredictor:
    """A network ready to be asked.

    Attributes:
        name: the checkpoint's path as given.
        module: the network, in eval mode, on ``device``.
        dim: D.
        device: where it runs.
        position_scale: scale of the position channel, None for none.
    """

    name: str
    module: NextEmbedding
    dim: int
    device: torch.device
    position_scale: float | None = None

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """Predict the next embedding of each context, all in one forward pass.

        Args:
            contexts: (B, C, D) unit vectors, oldest frame first.

        Returns:
            (B, D) float32, unit norm; NaN where the network yields NaN.

        Raises:
            UserError: contexts of another width, or longer than the network can read.
        """
        # Copied, since contexts may be a read-only or reversed view.
        x = torch.from_numpy(np.array(contexts, dtype=np.float32, order="C")).to(self.device)
        predictions: Float[np.ndarray, "b d"] = self.predict_tensor(x).cpu().numpy()
        return predictions

    def predict_tensor(self, contexts: Float[Tensor, "b c d"]) -> Float[Tensor, "b d"]:
        """The same for contexts that are on the device, and left there.

        Raises:
            UserError: as `predict`.
        """
        if contexts.ndim != 3 or contexts.shape[2] != self.dim:
            raise UserError(
                f"{self.name}: reads contexts of shape (B, C, {self.dim}) but got {tuple(contexts.shape)}; give it "
                f"embeddings {self.dim} wide."
            )
        # cuDNN would otherwise run recurrent layers in TF32, good to three digits only.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            try:
                predictions: Float[Tensor, "b d"] = self.module(with_position(contexts, self.position_scale))
            except ValueError as error:
                raise UserError(f"{self.name}: {error}; use a shorter context.") from error
        return predictions
