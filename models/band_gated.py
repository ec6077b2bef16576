"""Frames weighed band by band: a small network says how much of each frame to believe, and of nothing else.

The frames of a window are its context, what ridge regressions make of it, and climatology. They are rotated to the
principal components of the training text and cut into bands, broad topic first. How alike the frames are in each band
(their Gram matrices) is all that the network looks at; what it answers is a weight for each frame in each band, and
the weighted sum is the prediction. So it can say nothing that is not a blend of the frames, and what it learns is when
to trust which: text of a source that it has never seen has Gram matrices too.

**The ridges of a training window must not have seen the window's own kind of text.** A regression is more right on
text that it was fitted on, and gates that see it there trust it too far elsewhere. Each of R domains of the training
text has a regression of its own. A training window carries the number of its domain in one more channel, and reads the
regressions of the others; a window without the channel reads all. They are read two at a time, and the prediction is
the mean over the ordered pairs, so that it is the same network whether there are two to be read or seven.

The gates are several small networks in one, whose mean answers; in training each window is answered by one of them,
drawn anew every time, so that they come out as different as networks trained apart, at the price of one.
"""

import reprlib
from itertools import pairwise, permutations
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lvm_gates.models.base import NO_CONFIG, Config, ConfigError, NextEmbedding, State, prediction_dim, shape_of

# Where bands end, as shares of D: 8, 32, 96, 192 and 384 of 384.
BAND_ENDS = (1 / 48, 1 / 12, 1 / 4, 1 / 2, 1.0)
# The ordered pairs of more would be too many to average over.
MOST_DOMAINS = 8
# A gate starts at the mean of the frames of its window, near enough.
_INITIAL_WEIGHT = 0.125
# How far the network moves a weight from its constant, at first.
_REACH = 0.5


class BandGated(NextEmbedding):
    """A blend of context, ridges and climatology whose weights depend on the window, band by band.

    What is fitted and not learnt (`basis`, `ridge`, `ridge_bias`, `climatology`, `centre`, `spread`) are buffers, set
    by who trains it: until then there is no ridge and the bands are those of the coordinates as they come.

    Args:
        input_dim: width of one frame; a position channel (``input_dim == output_dim + 1``) is not read.
        output_dim: D; default ``input_dim``.
        context: C, frames that are read: the last ones of a longer context, and of a shorter one the oldest again.
        domains: R, of the training text.
        reach: frames that the ridges read, the last ones; None for all.
        bands: how many of `BAND_ENDS`, from the last; what is left out below joins the first that stays.
        width: hidden units of one of the gates.
        heads: networks whose mean are the gates.
        dropout: of them.

    Raises:
        ValueError: an output wider than the input, more domains than `MOST_DOMAINS`, or a reach beyond the context.
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
        reach: int | None = None,
        bands: int = len(BAND_ENDS),
        width: int = 192,
        heads: int = 6,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not 1 <= domains <= MOST_DOMAINS:
            raise ValueError(f"{domains} domains are not between 1 and {MOST_DOMAINS}")
        reach = context if reach is None else reach
        if not 1 <= reach <= context:
            raise ValueError(f"ridges of {reach} frames for a context of {context}")
        if not 1 <= bands <= len(BAND_ENDS):
            raise ValueError(f"{bands} bands are not between 1 and {len(BAND_ENDS)}")
        self.input_dim = input_dim
        self.output_dim = dim = prediction_dim(input_dim, output_dim)
        self.context, self.domains, self.reach = context, domains, reach
        frames = context + 3
        self.ends = [round(share * dim) for share in BAND_ENDS[-bands:]]
        cells = bands * frames * (frames + 1) // 2
        self.register_buffer("basis", torch.eye(dim))
        self.register_buffer("ridge", torch.zeros(domains, reach * dim, dim))
        self.register_buffer("ridge_bias", torch.zeros(domains, dim))
        self.register_buffer("climatology", torch.zeros(dim))
        self.register_buffer("centre", torch.zeros(cells))
        self.register_buffer("spread", torch.ones(cells))
        self.constant = nn.Parameter(torch.full((bands, frames), _INITIAL_WEIGHT))
        self.hidden = nn.Linear(cells, heads * width)
        self.dropout = nn.Dropout(dropout)
        # Small, so that a head begins at the constants and what it began with is soon forgotten.
        bound = 0.1 * width**-0.5
        self.answer = nn.Parameter(torch.empty(heads, width, bands * frames).uniform_(-bound, bound))
        self.answer_bias = nn.Parameter(torch.zeros(bands * frames))

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`; a channel beyond ``input_dim`` holds the domain whose ridge is not to be read."""
        frames, picked = self.frames(x), self.picked(x)
        weights = self.spread_out(self.weights(self.likeness(frames, picked)), picked, frames.shape[1])
        parts = [torch.einsum("bf,bfd->bd", weights[:, k], frames[..., band]) for k, band in enumerate(self._bands())]
        return torch.cat(parts, dim=-1) @ self.basis.T

    def frames(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch frames dim"]:
        """(B, C + R + 1, D) context, every ridge and climatology, rotated into the basis."""
        known = x[:, -self.context :, : self.output_dim]
        if known.shape[1] < self.context:
            known = torch.cat([known[:, :1].expand(-1, self.context - known.shape[1], -1), known], dim=1)
        ridge = (known[:, -self.reach :].flatten(1) @ self.ridge + self.ridge_bias[:, None]).transpose(0, 1)
        background = self.climatology.expand(len(x), 1, -1)
        return torch.cat([known, ridge, background], dim=1) @ self.basis

    def picked(self, x: Float[Tensor, "batch context input"]) -> Int[Tensor, "batch pairs read"]:
        """(B, P, C + 3) which frames are read together: context, two ridges, climatology; P pairs of ridges."""
        last = self.context + self.domains
        context = [*range(self.context)]

        def of(ridges: list[int]) -> list[list[int]]:
            pairs = [*permutations(ridges, 2)] or [(ridges[0], ridges[0])]
            return [[*context, *(self.context + ridge for ridge in pair), last] for pair in pairs]

        every = [*range(self.domains)]
        if x.shape[-1] == self.input_dim:
            return torch.tensor(of(every), device=x.device).expand(len(x), -1, -1)
        # A single domain has no others.
        without = [of([other for other in every if other != domain] or every) for domain in every]
        return torch.tensor(without, device=x.device)[x[:, -1, -1].long()]

    def likeness(
        self, frames: Float[Tensor, "batch frames dim"], picked: Int[Tensor, "batch pairs read"]
    ) -> Float[Tensor, "batch pairs cells"]:
        """What the gates look at: the upper triangle of the Gram matrix of the frames read, of each band."""
        cut = [frames[..., band] for band in self._bands()]
        gram = torch.stack([part @ part.transpose(1, 2) for part in cut], dim=-1)
        row, column = torch.triu_indices(picked.shape[-1], picked.shape[-1], device=frames.device)
        window = torch.arange(len(frames), device=frames.device)[:, None, None]
        seen: Tensor = gram[window, picked[..., row], picked[..., column]].flatten(2)
        return seen

    def weights(self, likeness: Float[Tensor, "batch pairs cells"]) -> Float[Tensor, "batch pairs bands read"]:
        """A weight for each frame read, in each band."""
        seen, heads = (likeness - self.centre) / self.spread, len(self.answer)
        if self.training:
            # Dealt out evenly: nothing waits for the device, and a head computes its own windows alone.
            order = torch.randperm(len(seen), device=seen.device)
            moved = torch.cat([self._moved(seen[own], head) for head, own in enumerate(order.tensor_split(heads))])
            moved = moved[order.argsort()]
        else:
            moved = torch.stack([self._moved(seen, head) for head in range(heads)]).mean(dim=0)
        return self.constant + _REACH * moved.reshape(*moved.shape[:-1], *self.constant.shape)

    def _moved(
        self, seen: Float[Tensor, "batch pairs cells"], head: int
    ) -> Float[Tensor, "batch pairs bands_times_read"]:
        """What one head makes of standardised Gram matrices."""
        width = self.answer.shape[1]
        own = slice(head * width, (head + 1) * width)
        hidden = torch.relu(functional.linear(seen, self.hidden.weight[own], self.hidden.bias[own]))
        moved: Tensor = self.dropout(hidden) @ self.answer[head] + self.answer_bias
        return moved

    def spread_out(
        self,
        weights: Float[Tensor, "batch pairs bands read"],
        picked: Int[Tensor, "batch pairs read"],
        frames: int,
    ) -> Float[Tensor, "batch bands frames"]:
        """The mean over pairs, as weights of all frames."""
        bands = weights.shape[2]
        places = picked[:, None].expand(-1, bands, -1, -1).flatten(2)
        nothing = weights.new_zeros(len(weights), bands, frames)
        return nothing.scatter_add(2, places, weights.transpose(1, 2).flatten(2)) / weights.shape[1]

    def _bands(self) -> list[slice]:
        return [slice(begin, end) for begin, end in pairwise([0, *self.ends])]

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`."""
        domains, inputs, dim = shape_of(state, "ridge", 3)
        # Context, two ridges and climatology are read.
        bands, frames = shape_of(state, "constant", 2)
        # A channel that is not read leaves no trace in the shapes.
        input_dim = config.get("input_dim", dim)
        if input_dim not in (dim, dim + 1):
            raise ConfigError(
                f"model_config has input_dim {reprlib.repr(input_dim)} for weights of width {dim}; save it with the "
                "width of one frame"
            )
        return {
            "input_dim": input_dim,
            "output_dim": dim,
            "context": frames - 3,
            "domains": domains,
            "reach": inputs // max(dim, 1),
            "bands": bands,
            "width": shape_of(state, "answer", 3)[1],
            "heads": shape_of(state, "answer", 3)[0],
        }


def labelled(
    contexts: Float[Tensor, "batch context input"], labels: Int[Tensor, " batch"]
) -> Float[Tensor, "batch context input+1"]:
    """Frames with the number of their window's domain as one more channel, as a network reads them in training."""
    channel = labels.to(contexts.dtype)[:, None, None].expand(-1, contexts.shape[1], 1)
    return torch.cat([contexts, channel], dim=-1)
