"""Training and validation windows of a corpus, gathered a batch at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from harness.corpus import Corpus, SplitName, check_vectors
from harness.errors import UserError
from harness.windows import Windows, sample_windows, windows_of

MAX_VALIDATION_WINDOWS = 5000
# Not the run's seed: runs of different seeds must be comparable on the same windows.
VALIDATION_SEED = 0


class Batch(NamedTuple):
    """Windows as tensors: contexts (B, C, D), oldest frame first, and targets (B, D), all of unit norm."""

    context: Float[Tensor, "batch context dim"]
    target: Float[Tensor, "batch dim"]


def training_windows(corpus: Corpus, context: int) -> tuple[Windows, Windows]:
    """All TRAIN windows, and at most 5000 VAL windows drawn with a fixed seed.

    Raises:
        UserError: a split without articles or windows, or with a vector that has no direction.
    """
    validation = sample_windows(_windows(corpus, "VAL", context), MAX_VALIDATION_WINDOWS, VALIDATION_SEED)
    return _windows(corpus, "TRAIN", context), validation


def gather(windows: Windows, device: torch.device) -> Batch:
    """The vectors of a few windows, in one read of the corpus."""
    rows = windows.targets[:, None] + np.arange(-windows.context, 1)
    vectors = torch.from_numpy(windows.corpus.vectors(rows)).to(device)
    return Batch(vectors[:, :-1], vectors[:, -1])


def batches(windows: Windows, order: Int[np.ndarray, " n"], size: int, device: torch.device) -> Iterator[Batch]:
    """Batches of at most ``size`` windows in the given order; every window comes once."""
    for part in windows.take(order).batches(size):
        yield gather(part, device)


def _windows(corpus: Corpus, split: SplitName, context: int) -> Windows:
    articles = corpus.articles(split)
    if len(articles) == 0:
        raise UserError(f"{corpus.path}: has no {split} articles; assign some with `lvm-data split`.")
    check_vectors(corpus, corpus.rows_of(articles))
    windows = windows_of(corpus, articles, context)
    if len(windows) == 0:
        raise UserError(
            f"{corpus.path}: no {split} article has {context + 1} chunks in a row; use a smaller --context."
        )
    return windows
