"""The windows of one split and the candidates they are ranked against: the same for every predictor.

Built once a session from (corpus, split, seed); holds row numbers and one bank of at most `BANK_SIZE` vectors.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.corpus import KEPT_NUMBERS, SCAN_ROWS, Corpus
from lvm_gates.harness.corpus.equality import same_chunk_labels
from lvm_gates.harness.corpus.splits import SplitName
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.bank import Bank
from lvm_gates.harness.evaluation.candidate_set import CandidateSet
from lvm_gates.harness.evaluation.collapse import Spread, spread
from lvm_gates.harness.evaluation.faiss_bank import SearchedBank
from lvm_gates.harness.evaluation.perturbations import has_donor

# Offsets of gate A, counted from the last context frame.
OFFSETS: tuple[int, ...] = (-3, -2, -1, 0, 1, 2, 3)

# Chunks of the split that make up candidate set `global`. Ranking 5,000 windows against 10,000 candidates of 768
# dimensions in float64 is 77 GFLOP, seconds on two cores; a whole bank of 584,545 would be minutes for each of twenty
# controls.
BANK_SIZE = 10_000


@dataclass(frozen=True)
class EvaluationSet:
    """What one split is judged on.

    Attributes:
        split: its name.
        windows: the sampled windows, in row order.
        articles: positions of all articles of the split.
        seed: of every random choice.
        horizon: H of the rollout.
        asked_bank: the candidates of set `global`, where others were asked for than `bank`.
    """

    split: SplitName
    windows: Windows
    articles: Int[np.ndarray, " m"]
    seed: int
    horizon: int
    asked_bank: Bank | SearchedBank | None = None

    @property
    def corpus(self) -> Corpus:
        return self.windows.corpus

    @cached_property
    def rows(self) -> Int[np.ndarray, " k"]:
        """Every row of the split, sorted: donors of foreign frames and candidates of retrieval."""
        return np.sort(self.corpus.rows_of(self.articles))

    @cached_property
    def labels(self) -> Int[np.ndarray, " k"]:
        """For each of `rows` a number that two chunks share exactly when their embeddings are equal."""
        return same_chunk_labels(self.corpus, self.rows)

    def labels_of(self, rows: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        """The `labels` of some of `rows`."""
        return np.asarray(self.labels[np.searchsorted(self.rows, rows)])

    def vectors(self, rows: Int[np.ndarray, "*r"]) -> Float[np.ndarray, "*r d"]:
        """Embeddings of some of `rows`, float32 and of unit norm; a split that is small enough is kept."""
        if self._kept is None:
            return self.corpus.vectors(rows)
        return np.asarray(self._kept[np.searchsorted(self.rows, rows)])

    @cached_property
    def _kept(self) -> Float[np.ndarray, "k d"] | None:
        # A corpus that is small enough keeps all of its embeddings itself.
        if not len(self.rows) * self.corpus.dim <= KEPT_NUMBERS < self.corpus.size * self.corpus.dim:
            return None
        return self.corpus.vectors(self.rows)

    def candidates(self, rows: Int[np.ndarray, " m"]) -> CandidateSet:
        """Some of `rows`, rising, as candidates."""
        return CandidateSet(rows, self.labels_of(rows), self.vectors)

    @cached_property
    def bank(self) -> CandidateSet:
        """Candidates of set `global`; a window's target always joins them."""
        return self.candidates(self.some_rows(BANK_SIZE))

    @property
    def bank_name(self) -> str:
        """What set `global` is, in words."""
        if self.asked_bank is not None:
            return self.asked_bank.name
        return f"{min(len(self.rows), BANK_SIZE):,} chunks of the split"

    def some_rows(self, limit: int) -> Int[np.ndarray, " m"]:
        """At most ``limit`` of `rows`, drawn at random, rising."""
        if len(self.rows) <= limit:
            return self.rows
        rng = rng_of(self.seed, Stream.GLOBAL_CANDIDATES)
        return self.rows[np.sort(rng.choice(len(self.rows), size=limit, replace=False))]

    def part(self, index: Int[np.ndarray, " m"]) -> "EvaluationSet":
        """The same with some of the windows; what their targets are ranked among stays."""
        part = replace(self, windows=self.windows.take(index))
        for name in ("rows", "labels", "_kept", "bank"):  # of the split, whatever its windows: computed once
            vars(part)[name] = getattr(self, name)
        return part

    @cached_property
    def target_spread(self) -> Spread:
        """Effective ranks and variance of the targets: what predictions are compared with."""
        return spread(unit(np.concatenate([part.target_vectors() for part in self.windows.batches(SCAN_ROWS)])))

    @cached_property
    def has_donor(self) -> Bool[np.ndarray, " n"]:
        """(n,) whether the split holds a chunk of another article for the cross-article ablation."""
        return has_donor(self.windows, self.rows)
