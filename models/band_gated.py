"""Frames weighed band by band: a small network says how much of each frame to believe, and of nothing else.

The frames of a window are its context, what a ridge regression makes of it, and climatology. They are rotated to the
principal components of the training text and cut into bands, broad topic first. How alike the frames are in each band
(their Gram matrices) is all that the network looks at; what it answers is a weight for each frame in each band, and
the weighted sum is the prediction. So it can say nothing that is not a blend of the frames, and what it learns is when
to trust which: text of a source that it has never seen has Gram matrices too.

**The ridge of a training window must not have seen the window's own kind of text.** A regression is more right on text
that it was fitted on, and gates that see it there trust it too far elsewhere. Of R domains of the training text there
are R + 1 regressions, each fitted without one domain and the last on all. A training window carries the number of its
domain in one more channel, and reads the regression without that domain; a window without the channel reads the last.
"""

import reprlib
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lvm_gates.models.base import NO_CONFIG, Config, ConfigError, NextEmbedding, State, prediction_dim, shape_of

# Where bands end, as shares of D: 8, 32, 96, 192 and 384 of 384.
BAND_ENDS = (1 / 48, 1 / 12, 1 / 4, 1 / 2, 1.0)
# A gate starts at the mean of the frames of its window, near enough.
_INITIAL_WEIGHT = 0.125
# How far the network moves a weight from its constant, at first.
_REACH = 0.5


class BandGated(NextEmbedding):
    """A blend of context, ridge and climatology whose weights depend on the window, band by band.

    What is fitted and not learnt (`basis`, `ridge`, `ridge_bias`, `climatology`, `centre`, `spread`) are buffers, set
    by who trains it: until then there is no ridge and the bands are those of the coordinates as they come.

    Args:
        input_dim: width of one frame; a position channel (``input_dim == output_dim + 1``) is not read.
        output_dim: D; default ``input_dim``.
        context: C, frames that are read: the last ones of a longer context, and of a shorter one the oldest again.
        domains: R, of the training text.
        width: hidden units of the gates.
        dropout: of them.
    """

    basis: Tensor
    ridge: Tensor
    ridge_bias: Tensor
    climatology: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        context: int = 5,
        domains: int = 3,
        width: int = 384,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.input_dim = input_dim
        self.output_dim = dim = prediction_dim(input_dim, output_dim)
        self.context, self.domains = context, domains
        frames = context + 2
        cells = len(BAND_ENDS) * frames * (frames + 1) // 2
        self.register_buffer("basis", torch.eye(dim))
        self.register_buffer("ridge", torch.zeros(domains + 1, context * dim, dim))
        self.register_buffer("ridge_bias", torch.zeros(domains + 1, dim))
        self.register_buffer("climatology", torch.zeros(dim))
        self.register_buffer("centre", torch.zeros(cells))
        self.register_buffer("spread", torch.ones(cells))
        self.constant = nn.Parameter(torch.full((len(BAND_ENDS), frames), _INITIAL_WEIGHT))
        self.gates = nn.Sequential(
            nn.Linear(cells, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, len(BAND_ENDS) * frames)
        )

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`; a channel beyond ``input_dim`` holds the domain that the ridge must not know."""
        frames = self.frames(x)
        weights = self.weights(self.likeness(frames))
        bands = self._bands()
        parts = [torch.einsum("bf,bfd->bd", weights[:, k], frames[..., band]) for k, band in enumerate(bands)]
        return torch.cat(parts, dim=-1) @ self.basis.T

    def frames(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch frames dim"]:
        """(B, C + 2, D) context, ridge and climatology, rotated into the basis."""
        known = x[:, -self.context :, : self.output_dim]
        if known.shape[1] < self.context:
            known = torch.cat([known[:, :1].expand(-1, self.context - known.shape[1], -1), known], dim=1)
        rotated = known @ self.basis
        ridge = self._ridge(known.flatten(1), x[:, -1, -1].long() if x.shape[-1] > self.input_dim else None)
        background = (self.climatology @ self.basis).expand(len(x), 1, -1)
        return torch.cat([rotated, ridge[:, None] @ self.basis, background], dim=1)

    def likeness(self, frames: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch cells"]:
        """What the gates look at: the upper triangle of the Gram matrix of each band, one after another."""
        count = frames.shape[1]
        row, column = torch.triu_indices(count, count, device=frames.device)
        cut = [frames[..., band] for band in self._bands()]
        return torch.cat([(part @ part.transpose(1, 2))[:, row, column] for part in cut], dim=-1)

    def weights(self, likeness: Float[Tensor, "batch cells"]) -> Float[Tensor, "batch bands frames"]:
        """A weight for each frame in each band."""
        moved = self.gates((likeness - self.centre) / self.spread)
        return self.constant + _REACH * moved.unflatten(-1, self.constant.shape)

    def _ridge(self, flat: Float[Tensor, "batch cd"], without: Int[Tensor, " batch"] | None) -> Tensor:
        """(B, D) of the regression that every window may ask."""
        if without is None:
            alone: Tensor = flat @ self.ridge[-1] + self.ridge_bias[-1]
            return alone
        every: Tensor = flat @ self.ridge + self.ridge_bias[:, None]
        return every[without, torch.arange(len(flat), device=flat.device)]

    def _bands(self) -> list[slice]:
        ends = [round(share * self.output_dim) for share in BAND_ENDS]
        return [slice(begin, end) for begin, end in pairwise([0, *ends])]

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`."""
        regressions, inputs, dim = shape_of(state, "ridge", 3)
        # A channel that is not read leaves no trace in the shapes.
        input_dim = config.get("input_dim", dim)
        if input_dim not in (dim, dim + 1):
            raise ConfigError(
                f"model_config has input_dim {reprlib.repr(input_dim)}, and its weights are of width {dim}; save it with "
                "the width of one frame"
            )
        return {
            "input_dim": input_dim,
            "output_dim": dim,
            "context": inputs // dim,
            "domains": regressions - 1,
            "width": shape_of(state, "gates.0.weight", 2)[0],
        }
