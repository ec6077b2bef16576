"""What the frontier needs of a predictor, article by article: sums of cosines and of reciprocal ranks.

Every mean, jackknife and draw of articles follows from these sums, so that a predictor is asked once a window however
many draws there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ci.trivial_parts import Predict
from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.candidates import novel_rivals
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.ranks import expected_rank

# Windows in hand at once; a context of 5 x 768 floats makes 8 MB of them.
_BATCH = 512


@dataclass(frozen=True)
class Totals:
    """Sums over the windows of each article.

    Attributes:
        names: the K predictors.
        windows: (G,) how many there are.
        cosine: (G, K) sum of cos(prediction, target).
        mrr: (G, K) sum of 1 / rank of the target in candidate set `novel`.
    """

    names: tuple[str, ...]
    windows: Float[np.ndarray, " g"]
    cosine: Float[np.ndarray, "g k"]
    mrr: Float[np.ndarray, "g k"]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        cosine: Float[np.ndarray, "n k"],
        reciprocal_rank: Float[np.ndarray, "n k"],
        clusters: Int[np.ndarray, " n"],
    ) -> "Totals":
        """From one row a window."""
        _, article = np.unique(clusters, return_inverse=True)
        sums = np.zeros((2, int(article.max()) + 1, len(names)))
        for values, into in zip((cosine, reciprocal_rank), sums, strict=True):
            np.add.at(into, article, values)
        return cls(tuple(names), np.bincount(article).astype(np.float64), *sums)

    def take(self, index: Int[np.ndarray, " m"]) -> "Totals":
        """Fewer articles."""
        return Totals(self.names, self.windows[index], self.cosine[index], self.mrr[index])

    def means(self, weights: Float[np.ndarray, "b g"]) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
        """Mean cosine and MRR, each article counted ``weights`` times."""
        count = (weights @ self.windows)[:, None]
        return weights @ self.cosine / count, weights @ self.mrr / count


def score(predictors: Mapping[str, Predict], evaluation: EvaluationSet, kept: Bool[np.ndarray, " n"]) -> Totals:
    """Ask every predictor for every window that counts.

    Args:
        predictors: by name.
        evaluation: windows and candidates.
        kept: windows that count; the others are near-duplicates of training chunks.
    """
    windows = evaluation.windows
    cosine = np.empty((len(windows), len(predictors)))
    reciprocal_rank = np.empty_like(cosine)
    for article in np.unique(windows.clusters):
        mine = np.flatnonzero((windows.clusters == article) & kept)
        for part in slices(len(mine), _BATCH):
            at = mine[part]
            cosine[at], reciprocal_rank[at] = _score(predictors, windows.take(at), int(article), evaluation)
    return Totals.of(tuple(predictors), cosine[kept], reciprocal_rank[kept], windows.clusters[kept])


def _score(
    predictors: Mapping[str, Predict], windows: Windows, article: int, evaluation: EvaluationSet
) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    rows = windows.corpus.rows_of(np.array([article]))
    contexts, candidates = windows.contexts(), unit(windows.corpus.vectors(rows))
    rivals = novel_rivals(windows, rows, evaluation)
    place = (np.arange(len(windows)), windows.targets - rows[0])
    cosine = np.empty((len(windows), len(predictors)))
    reciprocal_rank = np.empty_like(cosine)
    for k, predict in enumerate(predictors.values()):
        similarity = unit(predict(contexts)) @ candidates.T
        cosine[:, k] = similarity[place]
        reciprocal_rank[:, k] = 1 / expected_rank(similarity, similarity[place], rivals)[0]
    return cosine, reciprocal_rank
