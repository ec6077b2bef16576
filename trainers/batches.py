"""Training and validation windows of a corpus, gathered a batch at a time; nothing is materialised."""

from collections.abc import Generator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.corpus.corpus import Corpus, check_vectors
from lvm_gates.harness.corpus.corpus_advice import how_to_split
from lvm_gates.harness.corpus.splits import SplitName
from lvm_gates.harness.corpus.windows import Windows, sample_windows, windows_of
from lvm_gates.trainers.ahead import AHEAD, made_ahead
from lvm_gates.trainers.recipe import Needs

MAX_VALIDATION_WINDOWS = 5000
# Not the run's seed: runs of different seeds must be comparable on the same windows.
VALIDATION_SEED = 0


class Batch(NamedTuple):
    """Windows as tensors, all vectors of unit norm; see `trainers.objective.Step` for the fields' meaning."""

    context: Float[Tensor, "batch context dim"]
    target: Float[Tensor, "batch dim"]
    before: Float[Tensor, "batch dim"]
    future: Float[Tensor, "batch ahead dim"]
    future_exists: Bool[Tensor, "batch ahead"]
    negatives: Float[Tensor, "batch negatives dim"]
    article: Int[Tensor, " batch"]


def training_windows(corpus: Corpus, context: int, target: int = 1) -> tuple[Windows, Windows]:
    """All TRAIN windows, and at most 5000 VAL windows drawn with a fixed seed.

    Args:
        corpus: the corpus.
        context: C.
        target: offset of the target; windows whose article ends before it are left out.

    Raises:
        UserError: a split without articles or windows, or with a vector that has no direction.
    """
    validation = sample_windows(_windows(corpus, "VAL", context, target), MAX_VALIDATION_WINDOWS, VALIDATION_SEED)
    return _windows(corpus, "TRAIN", context, target), validation


@dataclass(frozen=True)
class Gatherer:
    """Reads batches of windows from their corpus.

    Attributes:
        needs: which chunks.
        device: where the tensors go.
        rng: draws the negatives.
        foreign: rows of all training targets, where foreign negatives come from.
    """

    needs: Needs
    device: torch.device
    rng: np.random.Generator
    foreign: Int[np.ndarray, " n"]

    def gather(self, windows: Windows) -> Batch:
        """The vectors of a few windows, in one read of the corpus."""
        needs, context = self.needs, windows.context
        rows = windows.targets[:, None] + np.arange(-context, needs.target)
        # Offset k is counted from the last context frame, so the chunk j after the target is at needs.target + j.
        ahead = [windows.offset(needs.target + j) for j in range(1, needs.ahead + 1)]
        future = np.stack([row for row, _ in ahead], axis=1) if ahead else np.empty((len(rows), 0), dtype=rows.dtype)
        exists = np.stack([there for _, there in ahead], axis=1) if ahead else np.empty((len(rows), 0), dtype=bool)
        negatives = self._negatives(windows)
        found = windows.corpus.vectors(np.concatenate([rows, future, negatives], axis=1))
        vectors = torch.from_numpy(found).to(self.device)
        width = rows.shape[1]
        return Batch(
            context=vectors[:, :context],
            target=vectors[:, width - 1],
            before=vectors[:, width - 2],
            future=vectors[:, width : width + needs.ahead],
            future_exists=torch.from_numpy(exists).to(self.device),
            negatives=vectors[:, width + needs.ahead :],
            article=torch.from_numpy(np.ascontiguousarray(windows.clusters)).to(self.device),
        )

    def batches(
        self, windows: Windows, order: Int[np.ndarray, " n"], size: int, *, skip: int = 0, ahead: int = AHEAD
    ) -> Generator[Batch]:
        """Batches of at most ``size`` windows in the given order; every window comes once.

        Args:
            windows: all.
            order: of all.
            size: of a batch.
            skip: leave out so many batches, whose negatives are drawn all the same: the rest is what it would be.
            ahead: batches gathered before they are asked for (`trainers.ahead`).
        """
        parts = windows.take(order).batches(size)
        for part in islice(parts, skip):
            self._negatives(part)
        yield from made_ahead(self.gather, parts, ahead)

    def _negatives(self, windows: Windows) -> Int[np.ndarray, "n negatives"]:
        """Rows of other chunks than the target: of its own article, or of any training target."""
        shape = (len(windows), self.needs.negatives)
        if self.needs.foreign_negatives:
            return self.rng.choice(self.foreign, size=shape)
        target = windows.targets[:, None] - 1 + self.needs.target
        start = windows.corpus.starts[windows.clusters][:, None]
        length = windows.corpus.lengths[windows.clusters][:, None]
        # One fewer than the article holds, and everything from the target on moves up by one: never the target.
        rows = start + self.rng.integers(0, length - 1, size=shape)
        return np.asarray(rows + (rows >= target))


def _windows(corpus: Corpus, split: SplitName, context: int, target: int) -> Windows:
    articles = corpus.articles(split)
    if len(articles) == 0:
        raise UserError(f"{corpus.path}: has no {split} articles; {how_to_split(corpus)}.")
    check_vectors(corpus, corpus.rows_of(articles))
    windows = windows_of(corpus, articles, context)
    windows = windows.take(np.flatnonzero(windows.offset(target)[1]))
    if len(windows) == 0:
        raise UserError(
            f"{corpus.path}: no {split} article has {context + target} chunks in a row; use a smaller --context."
        )
    return windows
