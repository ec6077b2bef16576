"""A moving average of a network's weights: what is validated, watched and saved as the model where it is asked for."""

import copy
from typing import Any

import torch

from lvm_gates.models.base import NextEmbedding


class WeightAverage:
    """average <- d average + (1 - d) weights after every step, d = min(decay, (1 + n) / (10 + n)) in the n-th.

    The growing d keeps the first, random weights out of it. Buffers are the network's own: constants, or set by epoch.
    Every process of a run keeps the same average, since all have the same weights.

    Args:
        model: the network that is trained, on its device.
        decay: in [0, 1).
    """

    def __init__(self, model: NextEmbedding, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._of, self._decay = model, decay
        self._steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step; nothing waits for the device."""
        self._steps += 1
        keep = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(list(self.model.parameters()), list(self._of.parameters()), 1 - keep)

    def judged(self) -> NextEmbedding:
        """The averaged network, with the buffers of the one that is trained."""
        own = self.model.state_dict()
        # Loaded, not copied: a network may take note of what it is given (`models.biased_transformer`).
        self.model.load_state_dict({**own, **{name: it for name, it in self._of.named_buffers() if name in own}})
        return self.model

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs beside the averaged weights: those that are trained, and how many steps."""
        return {"steps": self._steps, "trained": self._of.state_dict()}

    def load_state_dict(self, averaged: dict[str, Any], state: dict[str, Any]) -> None:
        """Go on from ``averaged`` weights and a `state_dict`."""
        self.model.load_state_dict(averaged)
        self._of.load_state_dict(state["trained"])
        self._steps = int(state["steps"])
