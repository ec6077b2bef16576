"""Windows as row numbers: C consecutive chunks of one article and the chunk after them.

A window is named by the corpus row of its target. Its context is the C rows before; offset k is counted from the LAST
CONTEXT FRAME, so that k=0 is that frame and k=+1 the target (docs/specification.md, "Offsets and frames"). No array of
windows is ever built: contexts are gathered from the memory map a batch at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.seeding import sampling_rng
from lvm_gates.harness.corpus.corpus import Corpus


@dataclass(frozen=True)
class Windows:
    """Some windows of one corpus.

    Attributes:
        corpus: where the chunks live.
        targets: (n,) corpus row of each target.
        context: C, frames of context.
    """

    corpus: Corpus
    targets: Int[np.ndarray, " n"]
    context: int

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def clusters(self) -> Int[np.ndarray, " n"]:
        """(n,) article position of each window: the clusters of every interval."""
        return np.asarray(self.corpus.article_of[self.targets])

    @property
    def context_rows(self) -> Int[np.ndarray, "n c"]:
        """(n, C) corpus rows of the context frames, oldest first."""
        return self.targets[:, None] + np.arange(-self.context, 0)

    def offset(self, k: int) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """Rows at offset ``k`` from the last context frame, and whether each lies in the window's own run.

        Rows that do not exist are replaced by the target's, so that they can be gathered; mask them.
        """
        rows = self.targets - 1 + k
        start, end = self.corpus.run_start[self.targets], self.corpus.run_end[self.targets]
        exists = (rows >= start) & (rows < end)
        return np.where(exists, rows, self.targets), exists

    def take(self, index: Int[np.ndarray, " m"] | slice) -> "Windows":
        """A subset, in the order asked for."""
        return Windows(self.corpus, self.targets[index], self.context)

    def contexts(self) -> Float[np.ndarray, "n c d"]:
        """Gather the contexts, unit norm. Take a batch first: this materialises n x C x D floats."""
        return self.corpus.vectors(self.context_rows)

    def target_vectors(self) -> Float[np.ndarray, "n d"]:
        """Gather the targets, unit norm."""
        return self.corpus.vectors(self.targets)

    def batches(self, size: int) -> Iterator["Windows"]:
        """Consecutive batches of at most ``size`` windows."""
        for begin in range(0, len(self), size):
            yield self.take(slice(begin, begin + size))


def windows_of(corpus: Corpus, articles: Int[np.ndarray, " m"], context: int) -> Windows:
    """Every window of the given articles: C contiguous chunks and the one after, all of one article."""
    rows = corpus.rows_of(articles)
    return Windows(corpus, rows[rows - corpus.run_start[rows] >= context], context)


def sample_windows(windows: Windows, limit: int, seed: int) -> Windows:
    """At most ``limit`` windows drawn without replacement under ``seed``, in row order.

    The original battery took the first windows of the file, which are the first few articles
    (docs/sources.md, "Samples from the head of the file").
    """
    if len(windows) <= limit:
        return windows
    chosen = sampling_rng(seed).choice(len(windows), size=limit, replace=False)
    return windows.take(np.sort(chosen))
