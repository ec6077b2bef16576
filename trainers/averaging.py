"""A moving average of a network's weights: what is validated, watched and saved as the model where it is asked for."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from lvm_gates.models.base import NextEmbedding


class WeightAverage:
    """average <- d average + (1 - d) weights after every step, d = min(decay, (1 + n) / (10 + n)) in the n-th.

    The growing d keeps the first, random weights out of it. Buffers are the network's own: constants, or set by epoch.
    Every process of a run keeps the same average, since all have the same weights.

    Args:
        model: the network that is trained, on its device.
        decay: in [0, 1).

    Attributes:
        steps: taken in so far.
    """

    def __init__(self, model: NextEmbedding, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._of, self._decay = model, decay
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step; nothing waits for the device."""
        self.steps += 1
        keep = min(self._decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.model.parameters()), list(self._of.parameters()), 1 - keep)

    def judged(self) -> NextEmbedding:
        """The averaged network, with the buffers of the one that is trained."""
        own = self.model.state_dict()
        # Loaded, not copied: a network may take note of what it is given (`models.biased_transformer`).
        self.model.load_state_dict({**own, **{name: it for name, it in self._of.named_buffers() if name in own}})
        return self.model

    def load(self, averaged: Mapping[str, Tensor], steps: int) -> None:
        """Go on from ``averaged`` weights after so many steps."""
        self.model.load_state_dict(averaged)
        self.steps = steps
