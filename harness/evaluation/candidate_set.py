"""Some chunks of a split as candidates, and which of them do not count for a window."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.ranks import Pairs


@dataclass(frozen=True)
class CandidateSet:
    """Chunks among which targets are ranked.

    Attributes:
        rows: of the corpus, rising.
        labels: a number for each, which two chunks share exactly when their embeddings are equal.
        read: the embeddings of some rows, float32 and of unit norm.
    """

    rows: Int[np.ndarray, " m"]
    labels: Int[np.ndarray, " m"]
    read: Callable[[Int[np.ndarray, " m"]], Float[np.ndarray, "m d"]]

    @cached_property
    def vectors(self) -> Float[np.ndarray, "m d"]:
        """Their embeddings, once they are asked for."""
        return self.read(self.rows)

    def equal(self, labels: Int[np.ndarray, " n"]) -> Pairs:
        """Candidates that are the same answer as the target of a window: it, and chunks whose embedding equals it.

        Args:
            labels: of the target of each window.
        """
        order, ordered = self._by_label
        begin = np.searchsorted(ordered, labels, side="left")
        count = np.searchsorted(ordered, labels, side="right") - begin
        window = np.repeat(np.arange(len(labels)), count)
        within = np.arange(len(window)) - np.repeat(np.cumsum(count) - count, count)
        return Pairs.of(window, order[np.repeat(begin, count) + within])

    def shown(self, windows: Windows) -> Pairs:
        """Candidates that stand in the context of a window."""
        return Pairs.in_rows(windows.context_rows, self.rows)

    def novel(self, windows: Windows, labels: Int[np.ndarray, " n"]) -> Bool[np.ndarray, "n m"]:
        """Which candidates count in set `novel`: outside the context, and not equal to the target."""
        rival = np.ones((len(windows), len(self.rows)), dtype=bool)
        for pairs in (self.equal(labels), self.shown(windows)):
            rival[pairs.window, pairs.candidate] = False
        return rival

    @cached_property
    def _by_label(self) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " m"]]:
        order = np.argsort(self.labels, kind="stable")
        return order, self.labels[order]
