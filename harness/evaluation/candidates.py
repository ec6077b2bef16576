"""Rank of the target in the three candidate sets `article`, `novel` and `global`.

Source: docs/specification.md, "Candidate sets and ranks".
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.ranks import expected_rank

# Windows ranked at once: their similarities to 10,000 chunks, and who among these is a rival, take 30 MB.
_WINDOWS = 256

POOLS: tuple[str, ...] = ("article", "novel", "global")


class Ranks(NamedTuple):
    """Rank of the target of each window in each candidate set, and the number of candidates, target included."""

    rank: Float[np.ndarray, "n pools"]
    size: Int[np.ndarray, "n pools"]


def rank_targets(predictions: Float[np.ndarray, "n d"], windows: Windows, evaluation: EvaluationSet) -> Ranks:
    """Rank each window's target by cosine to its prediction.

    A candidate whose stored embedding equals the target's is the same answer, not a rival; it leaves the set.
    """
    parts = [_rank(predictions[some], windows.take(some), evaluation) for some in slices(len(windows), _WINDOWS)] or [
        _rank(predictions, windows, evaluation)
    ]
    return Ranks(*map(np.concatenate, zip(*parts, strict=True)))


def _rank(predictions: Float[np.ndarray, "n d"], windows: Windows, evaluation: EvaluationSet) -> Ranks:
    rank = np.empty((len(windows), len(POOLS)))
    size = np.empty((len(windows), len(POOLS)), dtype=np.int64)
    for article in np.unique(windows.clusters):
        mine = np.flatnonzero(windows.clusters == article)
        rank[mine, :2], size[mine, :2] = _within_article(
            predictions[mine], windows.take(mine), evaluation, int(article)
        )
    rank[:, 2], size[:, 2] = _in_bank(predictions, windows, evaluation)
    return Ranks(rank, size)


def _within_article(
    predictions: Float[np.ndarray, "n d"], windows: Windows, evaluation: EvaluationSet, article: int
) -> tuple[Float[np.ndarray, "n 2"], Int[np.ndarray, "n 2"]]:
    corpus = windows.corpus
    rows = np.arange(corpus.starts[article], corpus.starts[article] + corpus.lengths[article])
    similarity = predictions @ unit(corpus.vectors(rows)).T
    target = similarity[np.arange(len(windows)), windows.targets - rows[0]]
    rival = _differs_from_target(windows, rows, evaluation)
    novel = novel_rivals(windows, rows, evaluation)
    ranks, sizes = zip(expected_rank(similarity, target, rival), expected_rank(similarity, target, novel), strict=True)
    return np.stack(ranks, axis=1), np.stack(sizes, axis=1)


def _in_bank(
    predictions: Float[np.ndarray, "n d"], windows: Windows, evaluation: EvaluationSet
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    rows = evaluation.rows[evaluation.bank]
    similarity = predictions @ evaluation.bank_vectors.T
    target = np.einsum("nd,nd->n", predictions, unit(windows.target_vectors()))
    return expected_rank(similarity, target, novel_rivals(windows, rows, evaluation))


def novel_rivals(windows: Windows, rows: Int[np.ndarray, " m"], evaluation: EvaluationSet) -> Bool[np.ndarray, "n m"]:
    """Which of ``rows`` count in candidate set `novel`: outside the context, and not equal to the target."""
    return np.asarray(_differs_from_target(windows, rows, evaluation) & ~_in_context(windows, rows))


def _differs_from_target(
    windows: Windows, rows: Int[np.ndarray, " m"], evaluation: EvaluationSet
) -> Bool[np.ndarray, "n m"]:
    label_of = evaluation.labels[np.searchsorted(evaluation.rows, rows)]
    target_label = evaluation.labels[np.searchsorted(evaluation.rows, windows.targets)]
    return np.asarray(label_of[None, :] != target_label[:, None])


def _in_context(windows: Windows, rows: Int[np.ndarray, " m"]) -> Bool[np.ndarray, "n m"]:
    age = windows.targets[:, None] - rows[None, :]
    return np.asarray((age >= 1) & (age <= windows.context))
