"""P2: another network predicts only the step from the last frame to the next one (docs/sources.md, "P2").

With u the last frame and delta the base network's answer, r = u + alpha * delta and p = r / ||r||. The original
code gave delta unit norm, so that only alpha could tell a small step from a large one; its documents mean the raw
output.
"""

import reprlib
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lvm_gates.models.base import NO_CONFIG, Config, ConfigError, NextEmbedding, State, flag_of, prediction_dim
from lvm_gates.models.registry import UnknownArchitecture, architecture, build

RESIDUAL = "residual"
DEFAULT_BASE = "transformer"
# Before the keys of the base's weights; the scalar stands beside them.
BASE_PREFIX = "base."
ALPHA = "alpha"
INITIAL_ALPHA = 0.5


class Residual(NextEmbedding):
    """The last frame plus ``alpha`` times what the base network says; ``alpha`` is learnt.

    Args:
        input_dim: width of one frame. A position channel (``input_dim == output_dim + 1``) is read by the base and
            cut from the last frame.
        output_dim: D; default ``input_dim``.
        base: key of `models.registry.ARCHITECTURES`, other than this one.
        normalise_delta: give delta unit norm, as the original code does.
        sizes: of the base.

    Raises:
        ValueError: an output wider than the input, a residual of a residual, or a base that cannot have these sizes.
        UnknownArchitecture: the base is unknown.
    """

    def __init__(
        self,
        input_dim: int = 768,
        output_dim: int | None = None,
        *,
        base: str = DEFAULT_BASE,
        normalise_delta: bool = False,
        **sizes: Any,
    ) -> None:
        super().__init__()
        if base.lower() == RESIDUAL:
            raise ValueError("a residual network cannot wrap another one")
        self.input_dim = input_dim
        self.output_dim = prediction_dim(input_dim, output_dim)
        self.normalise_delta = normalise_delta
        self.base = build(base, input_dim=input_dim, output_dim=self.output_dim, **sizes)
        self.alpha = nn.Parameter(torch.tensor(INITIAL_ALPHA))

    def raw(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """See `NextEmbedding.raw`."""
        return self.compose(x, self.delta(x))

    def delta(self, x: Float[Tensor, "batch context input"]) -> Float[Tensor, "batch dim"]:
        """The step before ``alpha`` scales it, (B, D); of unit norm if ``normalise_delta``."""
        step: Tensor = self.base(x) if self.normalise_delta else self.base.raw(x)
        return step

    def compose(
        self, x: Float[Tensor, "batch context input"], delta: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch dim"]:
        """The last frame of ``x`` plus ``alpha`` times ``delta``, (B, D)."""
        return x[:, -1, : self.output_dim] + self.alpha * delta

    @classmethod
    def config_from(cls, state: State, config: Config = NO_CONFIG) -> dict[str, Any]:
        """See `NextEmbedding.config_from`; ``base`` and ``normalise_delta`` are not in the shapes."""
        base, normalise_delta = config.get("base", DEFAULT_BASE), flag_of(config, "normalise_delta", False)
        inner = {key.removeprefix(BASE_PREFIX): value for key, value in state.items() if key.startswith(BASE_PREFIX)}
        sizes = _base_class(base).config_from(inner, config)
        return {"base": base, "normalise_delta": normalise_delta, **sizes}


def _base_class(base: object) -> type[NextEmbedding]:
    try:
        if isinstance(base, str) and base.lower() != RESIDUAL:
            return architecture(base)
    except UnknownArchitecture:
        pass
    raise ConfigError(
        f"model_config names the base {reprlib.repr(base)}, which a residual network cannot wrap; save its real one"
    )
