"""What the frontier needs of a predictor, article by article: sums of cosines and of reciprocal ranks.

Every mean, resample and draw of articles follows from these sums, so that a predictor is asked once a window however
many draws there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.equality import same_chunk_labels
from harness.predictor import slices, unit
from harness.ranking import expected_rank
from harness.windows import Windows

Predict = Callable[[Float[np.ndarray, "b c d"]], Float[np.ndarray, "b d"]]
# Windows in hand at once; a context of 5 x 768 floats makes 8 MB of them.
_BATCH = 512


@dataclass(frozen=True)
class Totals:
    """Sums over the windows of each article.

    Attributes:
        names: the K predictors.
        articles: (G,) position of each article in its corpus.
        windows: (G,) how many there are.
        cosine: (G, K) sum of cos(prediction, target).
        mrr: (G, K) sum of 1 / rank of the target in pool `novel`.
    """

    names: tuple[str, ...]
    articles: Int[np.ndarray, " g"]
    windows: Float[np.ndarray, " g"]
    cosine: Float[np.ndarray, "g k"]
    mrr: Float[np.ndarray, "g k"]

    def take(self, index: Int[np.ndarray, " m"]) -> "Totals":
        """Fewer articles."""
        return Totals(self.names, self.articles[index], self.windows[index], self.cosine[index], self.mrr[index])

    def means(self, weights: Float[np.ndarray, "b g"]) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
        """Mean cosine and MRR, each article counted ``weights`` times."""
        count = (weights @ self.windows)[:, None]
        return weights @ self.cosine / count, weights @ self.mrr / count


def score(predictors: Mapping[str, Predict], windows: Windows, left_out: Bool[np.ndarray, " n"]) -> Totals:
    """Ask every predictor for every window.

    Args:
        predictors: by name.
        windows: whole articles or a sample; candidates are the chunks of the target's article.
        left_out: windows that do not count (near-duplicates of training chunks).
    """
    corpus = windows.corpus
    windows = windows.take(np.flatnonzero(~left_out))
    articles = np.unique(windows.clusters)
    labels = np.full(corpus.size, -1, dtype=np.int64)
    for article in articles:
        rows = corpus.rows_of(np.array([article]))
        labels[rows] = same_chunk_labels(corpus, rows)
    count = np.zeros(len(articles))
    sums = np.zeros((2, len(articles), len(predictors)))
    for g, article in enumerate(articles):
        mine = windows.take(np.flatnonzero(windows.clusters == article))
        rows = corpus.rows_of(np.array([article]))
        candidates = unit(corpus.vectors(rows))
        count[g] = len(mine)
        for part in slices(len(mine), _BATCH):
            batch = mine.take(part)
            sums[:, g] += _batch(predictors, batch, candidates, rows, labels)
    return Totals(tuple(predictors), articles, count, sums[0], sums[1])


def _batch(
    predictors: Mapping[str, Predict],
    windows: Windows,
    candidates: Float[np.ndarray, "m d"],
    rows: Int[np.ndarray, " m"],
    labels: Int[np.ndarray, " chunks"],
) -> Float[np.ndarray, "2 k"]:
    contexts = windows.contexts()
    age = windows.targets[:, None] - rows[None, :]
    rival = (labels[rows][None, :] != labels[windows.targets][:, None]) & ~((age >= 1) & (age <= windows.context))
    place = (np.arange(len(windows)), windows.targets - rows[0])
    sums = np.empty((2, len(predictors)))
    for k, predict in enumerate(predictors.values()):
        similarity = unit(predict(contexts)) @ candidates.T
        rank, _ = expected_rank(similarity, similarity[place], rival)
        sums[:, k] = similarity[place].sum(), (1 / rank).sum()
    return sums
