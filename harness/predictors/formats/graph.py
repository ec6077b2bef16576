"""A graph read from a file as a predictor, whichever runtime runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped

from lvm_gates.harness.predictors.predictor import Predictor

Run = Callable[[Float[np.ndarray, "b c d"]], Shaped[np.ndarray, "..."]]


@dataclass(frozen=True)
class GraphPredictor:
    """See `harness.predictors.predictor.Predictor`.

    Attributes:
        name: the file as given.
        run: contexts to what the graph answers.
    """

    name: str
    run: Run

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Shaped[np.ndarray, "..."]:
        """What the graph answers; whoever asks checks its shape."""
        return self.run(np.array(contexts, dtype=np.float32, order="C"))


@dataclass(frozen=True)
class Graph:
    """What was read.

    Attributes:
        predictor: of it, under a name.
        assumed: what the file does not say and was taken to be so, in words.
        context: C that its input has, None for any or unknown.
        dim: D that its input has, None for any or unknown.
        files: what it is made of beside the file itself.
    """

    predictor: Callable[[str], Predictor]
    assumed: tuple[str, ...] = ()
    context: int | None = None
    dim: int | None = None
    files: tuple[Path, ...] = ()
