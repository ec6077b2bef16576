"""What a training run is: every choice that its result depends on, as plain values."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What may differ when a run is resumed: how far to go, and on what hardware.
FREE_ON_RESUME = ("epochs", "device", "threads")


@dataclass(frozen=True)
class RunConfig:
    """A run. The defaults are the published machinery (seed facts 1).

    Attributes:
        recipe: name recorded in the checkpoint.
        model_type: key of `models.registry.ARCHITECTURES`.
        model: sizes of the architecture (``width``, ``depth``, ``heads``); the rest follows from the corpus.
        context: C, frames the network reads.
        epochs: passes over the training windows.
        batch_size: windows per step.
        lr: initial learning rate of AdamW.
        weight_decay: of AdamW.
        factor: what the learning rate is multiplied by when the validation loss stalls.
        patience: epochs without improvement that are waited for before that.
        clip: largest norm of the gradient.
        seed: of weights, dropout and shuffling.
        device: cpu, cuda or mps.
        threads: CPU threads, None for what suits the network's size (`trainers.threads`).
        position_scale: scale of the position channel, None for none.
    """

    recipe: str
    model_type: str
    epochs: int
    batch_size: int
    model: Mapping[str, Any] = field(default_factory=dict)
    context: int = 5
    lr: float = 5e-4
    weight_decay: float = 0.01
    factor: float = 0.5
    patience: int = 3
    clip: float = 1.0
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None
    position_scale: float | None = None

    def model_config(self, dim: int) -> dict[str, Any]:
        """Constructor arguments of the network for embeddings ``dim`` wide."""
        channel = 0 if self.position_scale is None else 1
        return {"input_dim": dim + channel, "output_dim": dim, **self.model}

    def as_args(self) -> dict[str, Any]:
        """The run as the plain dictionary that checkpoints record."""
        return {**dataclasses.asdict(self), "model": dict(self.model)}

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Choices in which a recorded run differs, other than those a resumed run may change."""
        return [
            f"{name} was {recorded.get(name)!r}, is {value!r}"
            for name, value in self.as_args().items()
            if name not in FREE_ON_RESUME and recorded.get(name) != value
        ]
