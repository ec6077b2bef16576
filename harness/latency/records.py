"""Times as data: what is kept of a measurement, in a file of its own or in that of pytest-benchmark."""

import math
from typing import Annotated, Final

import msgspec
import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.record import Record

VERSION: Final = 1
Seconds = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Size = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
_DIGITS = 6


class Times(Record, frozen=True):
    """One model's calls.

    Attributes:
        name: as given to ``--model``.
        sha256: of its file, None where there is none.
        seconds: of each call, by round.
        reference: of the product right before each call, by round.
        files: SHA-256 of the files that have a part in it, by name.
    """

    name: str
    sha256: str | None
    seconds: list[list[Seconds]]
    reference: list[list[Seconds]]
    files: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = {len(row) for rows in (self.seconds, self.reference) for row in rows}
        if len(sizes) != 1 or sizes == {0} or len(self.seconds) != len(self.reference):
            raise ValueError("rounds of calls and of products must be equally many and equally long")

    @property
    def calls(self) -> Float[np.ndarray, "r k"]:
        """Seconds of each call, rounds by calls of a round."""
        return np.array(self.seconds)

    @property
    def products(self) -> Float[np.ndarray, "r k"]:
        """Seconds of the products, in the same places."""
        return np.array(self.reference)


class Latency(Record, frozen=True, kw_only=True):
    """A measurement at one batch size.

    Attributes:
        batch: B, contexts asked for at once.
        context: C, frames of each.
        dim: D of the embeddings.
        device: where checkpoints ran.
        candidate: the model's calls.
        accepted: those of the accepted model, in turns with them; None where none was given.
    """

    batch: Size
    context: Size
    dim: Size
    device: str
    candidate: Times
    accepted: Times | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.accepted is not None and self.accepted.calls.shape != self.candidate.calls.shape:
            raise ValueError("two models in turns must have as many calls each")


class LatencyFile(Record, frozen=True):
    """What ``lvm-report bench --json`` writes."""

    latency_version: int
    latency: list[Latency]


def rounded(seconds: Float[np.ndarray, "r k"]) -> list[list[float]]:
    """Seconds as they are kept: six digits, which is beyond what any clock means."""
    return [[_significant(one) for one in row] for row in seconds.tolist()]


def _significant(value: float) -> float:
    return round(value, _DIGITS - 1 - math.floor(math.log10(value)))
