"""Where in an epoch a run stands, as plain values: what is saved between two steps and resumed from, bit for bit."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lvm_gates.trainers.step_log import Means

# Without --checkpoint-every: so much work a kill may cost. Writing 214 MB, what a network of the original size and its
# optimiser take, is less than a percent of it.
SECONDS = 300.0


@dataclass(frozen=True)
class Position:
    """After ``step`` steps of an epoch.

    The order of the windows and the negatives drawn so far follow from (seed, epoch) and the number of steps
    (`trainers.seeding`); what torch draws follows from how often it was asked, so its generators are kept.

    Attributes:
        step: steps done.
        means: of what they reported.
        generators: states of torch's generators, of the CPU and of the device.
    """

    step: int
    means: Means
    generators: Mapping[str, Any]

    def as_plain(self) -> dict[str, Any]:
        """As a checkpoint keeps it; `from_plain` gets it back."""
        return {
            "step": self.step,
            "sums": dict(self.means.sums),
            "seen": dict(self.means.seen),
            "generators": {name: state.tolist() for name, state in self.generators.items()},
        }

    @classmethod
    def from_plain(cls, kept: Mapping[str, Any]) -> "Position":
        """Read what `as_plain` made.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: it is something else.
        """
        generators = {name: torch.tensor(state, dtype=torch.uint8) for name, state in kept["generators"].items()}
        return cls(int(kept["step"]), Means(dict(kept["sums"]), dict(kept["seen"])), generators)


def generator_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of the generators that a network on ``device`` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_generators(states: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Go on from `generator_states`; a device that the states are not of keeps its own."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


class Pace:
    """When it is time to save: every so many steps, or else every so many seconds.

    Args:
        every: steps, None for `SECONDS`.
    """

    def __init__(self, every: int | None) -> None:
        self._every = every
        self._saved = time.monotonic()

    def due(self, step: int) -> bool:
        """Whether to save after ``step``; the clock starts anew if so."""
        if self._every is not None:
            return step % self._every == 0
        if time.monotonic() - self._saved < SECONDS:
            return False
        self._saved = time.monotonic()
        return True
