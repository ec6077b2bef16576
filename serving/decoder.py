"""What tells a predicted vector in words. A vector has none of its own: the default names the nearest real chunks.

A decoder of another kind (one that writes text from vectors, such as vec2text) is a class of an installed package,
offered by an entry point in the group `DECODERS`; it is called with the served corpus and needs one method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.errors import UserError, brief
from lvm_gates.harness.base.imported import load_offered, offered
from lvm_gates.harness.base.suggest import did_you_mean
from lvm_gates.harness.corpus.corpus import Corpus

DECODERS = "lvm_gates.decoders"
NEAREST = "nearest"


@runtime_checkable
class Decoder(Protocol):
    """Tells vectors in words."""

    def decode(self, vectors: Float[np.ndarray, "n d"], nearest: Sequence[str | None]) -> Sequence[str | None]:
        """The words of each vector; None where there are none.

        Args:
            vectors: unit predictions.
            nearest: text of the nearest chunk of each, None where the corpus keeps no text.
        """
        ...


@dataclass(frozen=True)
class NearestChunk:
    """Answers with the nearest chunk of the corpus."""

    def decode(self, vectors: Float[np.ndarray, "n d"], nearest: Sequence[str | None]) -> Sequence[str | None]:
        """See `Decoder`."""
        return nearest


def decoder_of(name: str, corpus: Corpus) -> Decoder:
    """The decoder of that name.

    Raises:
        UserError: no installed package offers it, or what it offers is none.
    """
    if name == NEAREST:
        return NearestChunk()
    points = {point.name: point for point in offered(DECODERS)}
    if name not in points:
        raise UserError(f"--decoder {name}: no installed package offers it; {did_you_mean(name, [NEAREST, *points])}.")
    made = load_offered(points[name])
    try:
        found = made(corpus) if callable(made) else made
    except Exception as error:  # whatever somebody else's class raises is one sentence
        raise UserError(
            f"--decoder {name}: raised {type(error).__name__} ({brief(error)}); mend that package."
        ) from error
    if not isinstance(found, Decoder):
        raise UserError(f"--decoder {name}: {type(found).__name__} has no method decode(vectors, nearest); add one.")
    return found
