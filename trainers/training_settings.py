"""What every recipe can be told of its training, whoever wrote it (the defaults: docs/sources.md, "Training")."""

from dataclasses import dataclass, field
from typing import Literal

from lvm_gates.trainers.settings import setting

RateSchedule = Literal["plateau", "constant", "cosine"]


@dataclass(frozen=True)
class Optimizer:
    """AdamW, and the clipping before it; the learning rate is ``--lr``."""

    weight_decay: float = setting(0.01, "of AdamW", low=0)
    beta1: float = setting(0.9, "of AdamW, of the mean of the gradient", low=0, high=0.9999)
    beta2: float = setting(0.999, "of AdamW, of the mean of its square", low=0, high=0.999999)
    epsilon: float = setting(1e-8, "of AdamW", low=1e-16)
    clip: float = setting(1.0, "largest norm of the gradient", low=1e-12)


@dataclass(frozen=True)
class Rate:
    """What the learning rate does after its beginning."""

    schedule: RateSchedule = setting("plateau", "plateau, constant, or cosine: half a wave down to the floor")
    warmup: float = setting(0.0, "epochs in which the rate rises to --lr in a straight line", low=0)
    factor: float = setting(0.5, "plateau: what the rate is multiplied by", low=1e-6, high=1)
    patience: int = setting(3, "plateau: epochs without a lower validation loss that are waited for", low=0)
    floor: float = setting(0.0, "cosine: share of --lr at the end", low=0, high=1)
    epochs: int | None = setting(None, "cosine: epochs until the floor, none for all of the run's", low=1)


@dataclass(frozen=True)
class Average:
    """A moving average of the weights, which is judged and saved in place of the last ones."""

    decay: float = setting(0.0, "share of the average that a step keeps, 0 for no average", low=0, high=0.999999)


@dataclass(frozen=True)
class NetworkSettings:
    """What an architecture can be told beside its sizes."""

    dropout: float | None = setting(None, "in training, none for the network's own (.1)", low=0, high=0.99)


@dataclass(frozen=True)
class Training:
    """Settings of every recipe."""

    optimizer: Optimizer = field(default_factory=Optimizer)
    rate: Rate = field(default_factory=Rate)
    average: Average = field(default_factory=Average)
    network: NetworkSettings = field(default_factory=NetworkSettings)
