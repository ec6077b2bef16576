"""Some windows of a split at hand: what every predictor is compared with there, gathered and computed once."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.candidates import Ranking
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS, EvaluationSet

# Windows compared with their surroundings in one product, of which each needs a dozen columns: few, so that little of
# it is for nothing.
_AT_ONCE = 32


class Surroundings(NamedTuple):
    """Rows of the chunks that some windows are compared with; the target's where there is none."""

    context: Int[np.ndarray, "b c"]
    offsets: Int[np.ndarray, "b 7"]
    """At `OFFSETS`."""
    ahead: Int[np.ndarray, "b horizon"]
    """At offsets +1 to +H."""
    offset_exists: Bool[np.ndarray, " b"]
    """Whether all chunks of `OFFSETS` do."""
    ahead_exists: Bool[np.ndarray, " b"]
    """Whether the chunks at offsets +1 to +H do."""

    @classmethod
    def of(cls, windows: Windows, horizon: int) -> "Surroundings":
        """Of some windows."""
        offsets, exists = zip(*(windows.offset(k) for k in OFFSETS), strict=True)
        ahead = [windows.offset(h) for h in range(1, horizon + 1)]
        return cls(
            windows.context_rows,
            np.column_stack(offsets),
            np.column_stack([rows for rows, _ in ahead]),
            np.logical_and.reduce(exists),
            ahead[-1][1],
        )

    @property
    def looped(self) -> Int[np.ndarray, " k"]:
        """Positions of the windows with chunks enough ahead for a closed loop."""
        return np.flatnonzero(self.ahead_exists)


class Block:
    """Contexts and the chunks around them.

    Args:
        windows: few enough for their contexts to be held.
        evaluation: the split.

    Attributes:
        windows: as given.
        evaluation: as given.
        around: where the chunks are.
        contexts: (B, C, D) float32.
    """

    def __init__(self, windows: Windows, evaluation: EvaluationSet) -> None:
        self.windows, self.evaluation = windows, evaluation
        self.contexts: Float[np.ndarray, "b c d"] = evaluation.vectors(windows.context_rows)
        self.around = Surroundings.of(windows, evaluation.horizon)
        rows = np.concatenate([self.around.context, self.around.offsets, self.around.ahead], axis=1)
        distinct, place = np.unique(rows, return_inverse=True)
        self._chunks = unit(evaluation.vectors(distinct))
        self._frames, self._offsets, self._ahead = np.split(
            place.reshape(rows.shape), [windows.context, windows.context + len(OFFSETS)], axis=1
        )

    def __len__(self) -> int:
        return len(self.windows)

    @cached_property
    def targets(self) -> Float[np.ndarray, "b d"]:
        """Unit vectors, float64."""
        return self.ahead(1)

    def ahead(self, step: int) -> Float[np.ndarray, "b d"]:
        """The chunk at offset ``+step`` of each window, unit and float64; the target where there is none."""
        return np.asarray(self._chunks[self._ahead[:, step - 1]])

    @cached_property
    def looped_ahead(self) -> list[Float[np.ndarray, "k d"]]:
        """`ahead` at each step of a closed loop, of the windows that have one."""
        return [self._chunks[self._ahead[self.around.looped, step]] for step in range(self.evaluation.horizon)]

    @cached_property
    def loop_frames(self) -> Float[np.ndarray, "k frames d"]:
        """Frames, and room for what is predicted after them, which each predictor fills anew; each step reads C."""
        contexts = self.contexts[self.around.looped]
        later = np.zeros((len(contexts), self.evaluation.horizon - 1, contexts.shape[2]), dtype=np.float32)
        return np.concatenate([contexts, later], axis=1)

    @cached_property
    def ranking(self) -> Ranking:
        """Of the targets."""
        return Ranking(self.windows, self.evaluation)

    @cached_property
    def coherence(self) -> Float[np.ndarray, " b"]:
        """Mean cosine of adjacent frames; NaN where there is one frame."""
        if self.windows.context == 1:
            return np.full(len(self), np.nan)
        frames = self._chunks[self._frames]
        return np.asarray(np.einsum("bcd,bcd->bc", frames[:, :-1], frames[:, 1:]).mean(axis=1))

    @cached_property
    def nearest_reference(self) -> Float[np.ndarray, " b"]:
        """Largest cosine of the target to a frame."""
        return self.near(self.targets)[1]

    def near(self, predictions: Float[np.ndarray, "b d"]) -> tuple[Float[np.ndarray, "b 7"], Float[np.ndarray, " b"]]:
        """Cosines of unit predictions to the chunks at `OFFSETS`, and the largest to a frame."""
        wanted = np.concatenate([self._offsets, self._frames], axis=1)
        found = np.empty(wanted.shape)
        for part in slices(len(self), _AT_ONCE):
            # Windows come in row order, so those next to each other share most of their chunks.
            first = wanted[part].min()
            similarity = predictions[part] @ self._chunks[first : wanted[part].max() + 1].T
            found[part] = np.take_along_axis(similarity, wanted[part] - first, axis=1)
        return found[:, : len(OFFSETS)], found[:, len(OFFSETS) :].max(axis=1)
