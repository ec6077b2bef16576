"""The learning rate inside an epoch: warm-up and cosine, as a factor that follows from the step alone.

The plateau rule stays with torch's scheduler, whose state is saved; what is here has none, so that a run resumed inside
an epoch needs no more than its step.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch.optim import Optimizer

from lvm_gates.trainers.training_settings import Rate


def rate_factor(rate: Rate, done: float, epochs: int) -> float:
    """What the learning rate is multiplied by.

    Args:
        rate: the settings.
        done: epochs gone by when the step ends, with its share of the one it is in; above 0.
        epochs: of the run.
    """
    factor = min(done / rate.warmup, 1.0) if rate.warmup else 1.0
    if rate.schedule == "cosine":
        end = rate.epochs or epochs
        # From the end of the warm-up on; a warm-up as long as the run leaves nothing to fall.
        fallen = min(max(done - rate.warmup, 0.0) / max(end - rate.warmup, 1e-9), 1.0)
        factor *= rate.floor + (1 - rate.floor) * (1 + math.cos(math.pi * fallen)) / 2
    return factor


@contextmanager
def multiplied(optimizer: Optimizer, factor: float) -> Iterator[None]:
    """A step at another rate; afterwards the optimiser has the rate that its state is saved with."""
    if factor == 1.0:
        yield
        return
    before = [group["lr"] for group in optimizer.param_groups]
    for group, lr in zip(optimizer.param_groups, before, strict=True):
        group["lr"] = lr * factor
    yield
    for group, lr in zip(optimizer.param_groups, before, strict=True):
        group["lr"] = lr
