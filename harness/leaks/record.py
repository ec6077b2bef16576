"""What a model was trained on, as its checkpoint records it: the signatures of its training chunks, in order.

By them a gate finds judged windows in the training text of a model wherever both have come to, without that text.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8


@dataclass(frozen=True)
class Part:
    """The chunks of one corpus.

    Attributes:
        mean: (D,) the point they are seen from.
        signatures: (N, 10) of the chunks, in reading order.
        lengths: (R,) chunks of each contiguous run; they add to N.
    """

    mean: Float[np.ndarray, " d"]
    signatures: UInt8[np.ndarray, "n bytes"]
    lengths: Int[np.ndarray, " r"]


@dataclass(frozen=True)
class TrainingRecord:
    """Everything a network was trained on.

    Attributes:
        parts: one a corpus.
        complete: False if it started from weights whose own record is absent or incomplete.
    """

    parts: tuple[Part, ...]
    complete: bool = True
