"""A control that may see what comes after the target: a mark of what is reachable, and no predictor of anything.

    pytest gates/ --profile=skill --model=control:cheat-1 --control=python:examples.cheat_control:CHEAT_1

``cheat-K`` is a weighted sum of the context's frames, of the K chunks after the target (offsets +2 to K + 1), of the
ridge control and of climatology: what a rival of profile `skill` is, beside what no rival may see. One weight a frame,
fitted by least squares on the training windows; where the article ends sooner, weights of their own for as many
chunks as there are. It never sees the target.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls import Control, Ingredients
from lvm_gates.harness.controls.linear import Linear
from lvm_gates.harness.controls.simple import Constant
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.windows import Windows, sample_windows

FITTED_ON = 20_000
_BATCH = 1024


@dataclass(frozen=True)
class Frames:
    """What a cheat weighs, but for the corpus that it looks ahead in."""

    linear: Linear
    climatology: Constant

    def of(self, contexts: np.ndarray, corpus: Corpus, rows: np.ndarray, ahead: int) -> np.ndarray:
        """(B, C + ahead + 2, D) context, chunks after the targets ``rows``, ridge and climatology, of unit norm."""
        after = corpus.vectors(rows[:, None] + np.arange(1, ahead + 1))
        ridge, mean = unit(self.linear.predict(contexts)), self.climatology.predict(contexts)
        return np.concatenate([contexts, after, ridge[:, None], mean[:, None]], axis=1)


def fitted(frames: Frames, training: Sequence[Windows], ahead: int, seed: int) -> np.ndarray:
    """(C + ahead + 2,) weights of least squared error."""
    gram, cross = 0.0, 0.0
    for part in training:
        part = part.take(np.flatnonzero(part.offset(ahead + 1)[1]))
        for batch in sample_windows(part, FITTED_ON // len(training), seed).batches(_BATCH):
            read = frames.of(batch.contexts(), batch.corpus, batch.targets, ahead).astype(np.float64)
            gram = gram + np.einsum("bfd,bgd->fg", read, read, optimize=True)
            cross = cross + np.einsum("bfd,bd->f", read, batch.target_vectors())
    return np.linalg.lstsq(gram, cross, rcond=None)[0]


@dataclass(frozen=True)
class Cheat:
    """Weights for each number of chunks after the target, from none to K."""

    corpus: Corpus
    frames: Frames
    weights: tuple[np.ndarray, ...]

    def predict_knowing(self, contexts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(B, C, D) contexts said to end right before corpus rows (B,) -> (B, D)."""
        goes_on = np.minimum(self.corpus.run_end[rows] - 1 - rows, len(self.weights) - 1)
        answer = np.empty((len(rows), self.corpus.dim))
        for ahead, weights in enumerate(self.weights):
            mine = np.flatnonzero(goes_on == ahead)
            if len(mine):
                answer[mine] = np.einsum(
                    "f,bfd->bd", weights, self.frames.of(contexts[mine], self.corpus, rows[mine], ahead)
                )
        return answer


def cheat(ahead: int) -> Control:
    """The control that sees so many chunks after the target."""

    def build(ingredients: Ingredients) -> Cheat:
        frames = Frames(ingredients.linear, ingredients.climatology)
        weights = (fitted(frames, ingredients.training, k, ingredients.seed) for k in range(ahead + 1))
        return Cheat(ingredients.corpus, frames, tuple(weights))

    # All that is certain: chunks nearer the target weigh more, so that their order matters.
    return Control(f"cheat-{ahead}", build, passes=("order",))


CHEAT_1, CHEAT_2, CHEAT_3 = cheat(1), cheat(2), cheat(3)
