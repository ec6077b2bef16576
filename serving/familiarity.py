"""Whether a text is of a kind that the corpus knows: a neighbour can always be named, and may mean nothing."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.corpus.corpus import Corpus
from lvm_gates.harness.corpus.windows import Windows, sample_windows, windows_of
from lvm_gates.serving.bank import Bank

# Windows of the corpus that say how near its own articles are to one another, and the share of them that would be
# called far: one in a hundred of the corpus's own texts is, by construction.
SAMPLED, FAR = 512, 0.01
_SEED = 0
# A chunk's nearest neighbours are often of its own article; so many are looked through for one of another.
_DEPTH = 200


@dataclass(frozen=True)
class Familiarity:
    """How near a context lies to the corpus, beside how near the corpus's own articles lie to one another.

    Attributes:
        threshold: mean cosine of a context's chunks to their nearest chunks below which a text is called far; None
            where the corpus has a single article, and nothing can be said.
        windows: that it was measured on.
    """

    threshold: float | None
    windows: int

    @classmethod
    def measure(cls, bank: Bank, context: int) -> "Familiarity":
        """Measured on windows of the corpus, each against all articles but its own."""
        corpus = bank.corpus
        windows = sample_windows(windows_of(corpus, np.arange(len(corpus.starts)), context), SAMPLED, _SEED)
        if len(corpus.starts) < 2 or not len(windows):
            return cls(None, 0)
        nearest = _nearest_elsewhere(bank, windows)
        known = nearest[np.isfinite(nearest)]
        return cls(float(np.quantile(known, FAR)), len(known)) if len(known) else cls(None, 0)

    def of(self, bank: Bank, context: Float[np.ndarray, "c d"]) -> float:
        """Mean cosine of the chunks of a context to their nearest chunks in the corpus."""
        return float(bank.nearest(context, 1)[1].mean())

    def is_far(self, nearness: float) -> bool:
        """Whether a context so near is called far."""
        return self.threshold is not None and nearness < self.threshold


def _nearest_elsewhere(bank: Bank, windows: Windows) -> Float[np.ndarray, " n"]:
    corpus: Corpus = bank.corpus
    rows = windows.context_rows.reshape(-1)
    found, cosine = bank.nearest(corpus.vectors(rows), _DEPTH)
    elsewhere = (found >= 0) & (corpus.article_of[np.maximum(found, 0)] != corpus.article_of[rows][:, None])
    best = np.where(elsewhere, cosine, -np.inf).max(axis=1)
    return np.asarray(best.reshape(windows.context_rows.shape).mean(axis=1))
