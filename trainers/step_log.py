"""What the steps of an epoch report, left on the device and read some steps at a time.

To read a value is to wait for everything that leads to it: read after every step, an accelerator would stand still
while the next step is prepared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan

import torch
from jaxtyping import Float
from torch import Tensor

from lvm_gates.trainers.config import RunConfig
from lvm_gates.trainers.finite import require_finite

# Steps between two readings: some 2 s of a network of the original size on one core, and nothing of a small one's time.
READ_EVERY = 25


@dataclass
class Means:
    """Means over windows of whatever the steps report; each metric over the windows it was computed on."""

    sums: dict[str, float] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, metrics: Mapping[str, float], n: int) -> None:
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * n
            self.seen[name] = self.seen.get(name, 0) + n

    def __getitem__(self, name: str) -> float:
        return self.sums[name] / self.seen[name]

    def all(self) -> dict[str, float]:
        return {name: self[name] for name in self.sums}


@dataclass(frozen=True)
class _Entry:
    """One step: its number, its windows, the names of its values, and the values, the gradient's norm last."""

    number: int
    windows: int
    names: tuple[str, ...]
    values: Float[Tensor, " values"]


class StepLog:
    """The steps of one epoch.

    Args:
        config: of the run, for what is said of a loss that is no number.
        epoch: from 1.
        means: of the steps before the first that is logged here.
    """

    def __init__(self, config: RunConfig, epoch: int, means: Means) -> None:
        self.means = means
        self._config, self._epoch = config, epoch
        self._unread: list[_Entry] = []

    def add(self, number: int, windows: int, metrics: Mapping[str, Tensor | float], norm: Float[Tensor, ""]) -> None:
        """Log a step; nothing is read yet.

        Args:
            number: of the step in its epoch, from 1.
            windows: of the step.
            metrics: ``loss`` first; a part of it, ``loss.NAME``, that was not computed is absent or NaN.
            norm: of the gradient.
        """
        device = norm.device
        values = [
            value if isinstance(value, Tensor) else torch.full((), value, device=device) for value in metrics.values()
        ]
        stacked = torch.stack([value.detach().to(device, torch.float32) for value in (*values, norm)])
        self._unread.append(_Entry(number, windows, tuple(metrics), stacked))

    def read(self) -> int:
        """Add what was logged to the means, in the order of the steps.

        Returns:
            The number of steps that were read.

        Raises:
            UserError: the loss of a step or its gradient is not finite.
        """
        entries, self._unread = self._unread, []
        if not entries:
            return 0
        # One transfer, however many steps.
        numbers = iter(torch.cat([entry.values for entry in entries]).tolist())
        for entry in entries:
            metrics = {name: next(numbers) for name in entry.names}
            norm = next(numbers)
            where = f"of batch {entry.number} in epoch {self._epoch}"
            require_finite(metrics["loss"], f"the loss {where}", self._config)
            require_finite(norm, f"the gradient {where}", self._config)
            computed = {name: v for name, v in metrics.items() if not (name.startswith("loss.") and isnan(v))}
            self.means.add(computed, entry.windows)
        return len(entries)
