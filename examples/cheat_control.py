"""A control that may see what comes after the target: a mark of what is reachable, and no predictor of anything.

    pytest gates/ --profile=skill --model=control:cheat-1 --control=python:examples.cheat_control:CHEAT_1

``cheat-K`` is a ridge regression on the context and on the K chunks after the target (offsets +2 to K + 1), fitted on
the training windows. It never sees the target. Where the article ends sooner it reads as many as there are, by a
regression of its own. How far it comes beyond ``control:linear`` says how much of a chunk its surroundings tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from lvm_gates.harness.base.cache import cached_arrays
from lvm_gates.harness.controls import Control, Ingredients
from lvm_gates.harness.controls.linear import fit_key
from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.windows import Windows, sample_windows

# Windows that a regression is fitted on, and its penalty relative to the mean eigenvalue of the Gram matrix: what ridge
# on real text is best with (`harness.controls.linear`).
FITTED_ON = 40_000
PENALTY = 0.3
_BATCH = 1024


def seen(contexts: np.ndarray, corpus: Corpus, rows: np.ndarray, ahead: int) -> np.ndarray:
    """(B, (C + ahead) * D) what is read of windows with targets ``rows``, after whom the article goes on so far."""
    after = corpus.vectors(rows[:, None] + np.arange(1, ahead + 1))
    read = np.concatenate([contexts, after], axis=1)
    return read.reshape(len(read), read.shape[1] * read.shape[2])


def kept(training: Sequence[Windows], ahead: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`fitted`, once for both splits and all controls; the cache keeps it for the next session."""
    key = f"{fit_key(training, seed)[:32]}-{ahead}-{FITTED_ON}-{PENALTY:g}"
    parts = ("weights", "bias")
    stored = cached_arrays("cheat", key, parts, lambda: dict(zip(parts, fitted(training, ahead, seed), strict=True)))
    return stored["weights"], stored["bias"]


def fitted(training: Sequence[Windows], ahead: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and bias of the regression that reads ``ahead`` chunks after the target."""
    inputs = (training[0].context + ahead) * training[0].corpus.dim
    gram, cross, n = np.zeros((inputs, inputs)), np.zeros((inputs, training[0].corpus.dim)), 0
    x_sum, y_sum = np.zeros(inputs), np.zeros(training[0].corpus.dim)
    for part in training:
        part = part.take(np.flatnonzero(part.offset(ahead + 1)[1]))
        for batch in sample_windows(part, FITTED_ON // len(training), seed).batches(_BATCH):
            x, y = seen(batch.contexts(), batch.corpus, batch.targets, ahead), batch.target_vectors()
            gram += x.T @ x
            cross += x.T @ y
            x_sum, y_sum, n = x_sum + x.sum(axis=0), y_sum + y.sum(axis=0), n + len(batch)
    x_mean, y_mean = x_sum / n, y_sum / n
    gram = gram / n - np.outer(x_mean, x_mean)
    gram[np.diag_indices_from(gram)] += PENALTY * np.trace(gram) / inputs
    weights = linalg.solve(gram, cross / n - np.outer(x_mean, y_mean), assume_a="pos", overwrite_a=True)
    return weights.astype(np.float32), (y_mean - x_mean @ weights).astype(np.float32)


@dataclass(frozen=True)
class Cheat:
    """One regression for each number of chunks after the target, from none to K."""

    corpus: Corpus
    regressions: tuple[tuple[np.ndarray, np.ndarray], ...]

    def predict_knowing(self, contexts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(B, C, D) contexts said to end right before corpus rows (B,) -> (B, D)."""
        goes_on = np.minimum(self.corpus.run_end[rows] - 1 - rows, len(self.regressions) - 1)
        answer = np.empty((len(rows), self.corpus.dim), dtype=np.float32)
        for ahead, (weights, bias) in enumerate(self.regressions):
            mine = np.flatnonzero(goes_on == ahead)
            answer[mine] = seen(contexts[mine], self.corpus, rows[mine], ahead) @ weights + bias
        return answer


def cheat(ahead: int) -> Control:
    """The control that sees so many chunks after the target."""

    def build(ingredients: Ingredients) -> Cheat:
        regressions = tuple(kept(ingredients.training, k, ingredients.seed) for k in range(ahead + 1))
        return Cheat(ingredients.corpus, regressions)

    return Control(f"cheat-{ahead}", build, passes=("frontier",))


CHEAT_1, CHEAT_2, CHEAT_3 = cheat(1), cheat(2), cheat(3)
