"""What a training run is: every choice that its result depends on, as plain values."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lvm_gates.trainers.settings import Plain, as_plain
from lvm_gates.trainers.training_settings import Training

Select = Literal["val_cos", "last-margin", "margin", "skill"]
NEEDS_NO_SENTINEL: tuple[Select, ...] = ("val_cos", "last-margin")
# off: no sentinel; watch: it reports; act: it drops the auxiliary terms and stops the run by the documents' rules.
SentinelMode = Literal["off", "watch", "act"]
Precision = Literal["auto", "float32", "bfloat16"]

# What may differ when a run is resumed: how far to go, on what hardware, and how often to save.
FREE_ON_RESUME = ("epochs", "device", "threads", "checkpoint_every", "processes")


@dataclass(frozen=True)
class RunConfig:
    """A run. The defaults are the original machinery (docs/sources.md, "Training").

    Attributes:
        recipe: name recorded in the checkpoint.
        epochs: passes over the training windows.
        batch_size: windows per step.
        options: the recipe's own options, as resolved.
        context: C, frames the network reads.
        lr: initial learning rate of AdamW.
        training: settings that every recipe has.
        settings: the recipe's own, path -> value, as resolved.
        seed: of weights, dropout, augmentation and shuffling.
        select: what the best checkpoint is best in.
        sentinel: whether the run is watched, and whether what is seen has consequences.
        precision: of the forward pass; ``auto`` is bfloat16 on CUDA and float32 elsewhere.
        start_from: content hash of the checkpoint whose weights the run starts from, None for fresh ones.
        device: cpu, cuda or mps.
        threads: CPU threads, None for what suits the network's size (`trainers.threads`).
        checkpoint_every: steps between two saves inside an epoch, None for one every five minutes.
        processes: that train together.
    """

    recipe: str
    epochs: int
    batch_size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    context: int = 5
    lr: float = 5e-4
    training: Training = Training()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    seed: int = 0
    select: Select = "val_cos"
    sentinel: SentinelMode = "watch"
    precision: Precision = "auto"
    start_from: str | None = None
    device: str = "cpu"
    threads: int | None = None
    checkpoint_every: int | None = None
    processes: int = 1

    def as_args(self) -> dict[str, Any]:
        """The run as the plain dictionary that checkpoints record."""
        args = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        del args["training"]
        return {**args, "options": dict(self.options), "settings": {**self.settings, **as_plain(self.training)}}

    def differences(self, recorded: Mapping[str, Any]) -> list[str]:
        """Choices in which a recorded run differs, other than those a resumed run may change."""
        args = self.as_args()
        settings, before = args.pop("settings"), recorded.get("settings")
        before = before if isinstance(before, Mapping) else {}
        return [
            f"{name} was {then.get(name)!r}, is {value!r}"
            for now, then in ((args, recorded), (settings, before))
            for name, value in now.items()
            if name not in FREE_ON_RESUME and then.get(name) != value
        ]
