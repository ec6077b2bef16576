"""The original transformer with a handicap on its last slot: P5.1's attention bias, applied (docs/sources.md, "P5.1").

The original code ramped the bias from 0 to .6 and never used it.
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lvm_gates.models.transformer import Transformer


class BiasedTransformer(Transformer):
    """`models.transformer.Transformer` whose last query sees the last key with its logits lowered by beta.

    This holds in self- and cross-attention alike; earlier queries cannot see the last key anyway. Beta is no
    parameter: the trainer sets it, and the weights carry it, so that a checkpoint predicts as it was trained.

    Args:
        input_dim: as in `Transformer`.
        output_dim: as in `Transformer`.
        last_slot_bias: beta at the start; at 0 the network is the original one, to the bit.
        sizes: the other sizes of `Transformer`.

    Raises:
        ValueError: sizes that `Transformer` refuses, or a beta that `set_last_slot_bias` does.
    """

    last_slot_bias: Tensor

    def __init__(
        self, input_dim: int = 768, output_dim: int | None = None, *, last_slot_bias: float = 0.0, **sizes: Any
    ) -> None:
        super().__init__(input_dim, output_dim, **sizes)
        self.register_buffer("last_slot_bias", torch.zeros(()))
        self.set_last_slot_bias(last_slot_bias)
        self.register_load_state_dict_post_hook(_read_bias)  # type: ignore[no-untyped-call]

    def set_last_slot_bias(self, beta: float) -> None:
        """Lower the last key's logits by ``beta``, in nats, from now on.

        Raises:
            ValueError: a beta that is negative, and would favour the last slot, or not finite.
        """
        if not (math.isfinite(beta) and beta >= 0):
            raise ValueError(f"a last-slot bias of {beta} is no finite handicap")
        self.last_slot_bias.fill_(beta)
        self._biased = beta != 0

    def attention_mask(
        self, context: int, device: torch.device
    ) -> Bool[Tensor, "context context"] | Float[Tensor, "context context"]:
        """See `Transformer.attention_mask`; of floats once beta is not 0."""
        future = super().attention_mask(context, device)
        # Boolean masks take another kernel: only the same kernel gives the original network to the bit.
        if not self._biased:
            return future
        mask = torch.zeros(context, context, device=device).masked_fill(future, -math.inf)
        mask[-1, -1] = -self.last_slot_bias
        return mask


def _read_bias(model: BiasedTransformer, _keys: Any) -> None:
    """Whether weights just loaded carry a bias: asked of the buffer in every step, a device would be waited for."""
    model._biased = bool(model.last_slot_bias)
