"""Settings that several recipes share, by what they are of."""

from dataclasses import dataclass

from lvm_gates.trainers.schedule import Schedule, constant
from lvm_gates.trainers.settings import setting

OFF = constant(0.0)


@dataclass(frozen=True)
class Hinge:
    """A margin term; at weight 0 it is not computed."""

    weight: Schedule = setting(OFF, "of the term, by epoch")
    margin: float = setting(0.01, "by how much the target must be nearer, in cosines")


@dataclass(frozen=True)
class Adaptive:
    """How the weight of a window rises from 1 to 2 with the likeness of its target to the last frame (P4)."""

    centre: float = setting(0.60, "cosine of last frame and target at which a window weighs 1.5", low=-1, high=1)
    width: float = setting(0.05, "in cosines, in which that rises", low=1e-6)


@dataclass(frozen=True)
class Drop:
    """The last frame replaced by a random vector."""

    probability: Schedule = setting(OFF, "that a window's last frame is another vector, by epoch", low=0, high=1)


@dataclass(frozen=True)
class Corruption:
    """The last frame blurred, or replaced by the one before it (P5.1)."""

    probability: Schedule = setting(OFF, "that a window's last frame is corrupted, by epoch", low=0, high=1)
    sigma: float = setting(0.03, "of the noise on each coordinate", low=0)
    swap: float = setting(0.05, "share of those in which the frame before it takes its place", low=0, high=1)


@dataclass(frozen=True)
class Position:
    """The position channel."""

    scale: Schedule = setting(constant(0.03), "of the channel that is added to each frame, by epoch", low=0)


def as_run_by_default(published: bool) -> Corruption:
    """What P6 and P6b read as launched: P5.1's corruption of the last frame had become the default.

    Source: docs/sources.md, "Versions of the code".
    """
    return Corruption(probability=constant(0.15)) if published else Corruption()
