"""Rank of the target in the three candidate sets `article`, `novel` and `global`.

Source: docs/specification.md, "Candidate sets and ranks".
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.vectors import dots, slices, unit
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.candidate_set import CandidateSet
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.ranks import Ahead, Pairs, count_ahead_together, mean_rank

# Windows ranked at once: their similarities to a tile of candidates stay in a core's cache.
_WINDOWS = 256
# Chunks of their articles at once. Neighbouring windows share an article, and one product with five hundred chunks
# costs less than going through a handful of articles one by one.
_CHUNKS = 512

POOLS: tuple[str, ...] = ("article", "novel", "global")


class Question(NamedTuple):
    """Some windows and what their targets are ranked among; the same for every predictor."""

    windows: Int[np.ndarray, " b"]
    """Positions of the windows."""
    columns: slice
    """Of `POOLS`, the nested sets that these are."""
    candidates: CandidateSet
    barred: tuple[Pairs, ...]
    """For each set what does not count, beside what did not in the one before."""
    own: tuple[Int[np.ndarray, " b"], Int[np.ndarray, " b"]] | None
    """Of each window the first candidate that counts and the one after the last; None: all count."""
    rivals: Int[np.ndarray, "b sets"]


class Ranks(NamedTuple):
    """Rank of the target of each window in each candidate set, and the number of candidates, target included."""

    rank: Float[np.ndarray, "n pools"]
    size: Int[np.ndarray, "n pools"]

    @classmethod
    def nothing(cls, n: int) -> "Ranks":
        """Of n windows, before anything was counted."""
        return cls(np.full((n, len(POOLS)), np.nan), np.zeros((n, len(POOLS)), dtype=np.int64))

    def put(self, question: Question, counts: Sequence[Ahead], target: Float[np.ndarray, " b"]) -> None:
        """What was counted for a question in each of its sets.

        Args:
            question: whose windows are among these.
            counts: for each set.
            target: cosines of the predictions to the targets.
        """
        pools = [mean_rank(ahead, question.rivals[:, i], target) for i, ahead in enumerate(counts)]
        self.rank[question.windows, question.columns] = np.stack(pools, axis=1)
        self.size[question.windows, question.columns] = question.rivals + 1


class Ranking:
    """Ranks the targets of any number of windows, for one predictor after the other, some windows at once.

    Args:
        windows: whose targets are ranked.
        evaluation: the split.
    """

    def __init__(self, windows: Windows, evaluation: EvaluationSet) -> None:
        self._targets = unit(evaluation.vectors(windows.targets))
        self._questions = questions(windows, evaluation)

    def ranks(self, predictions: Float[np.ndarray, "n d"]) -> Ranks:
        """Rank each window's target by cosine to its prediction.

        A candidate whose stored embedding equals the target's is the same answer, not a rival; it leaves the set.
        """
        (found,) = self.ranks_together([predictions])
        return found

    def ranks_together(self, predictions: Sequence[Float[np.ndarray, "n d"]]) -> list[Ranks]:
        """`ranks` by the predictions of several."""
        targets = [dots(own, self._targets) for own in predictions]
        found = [Ranks.nothing(len(self._targets)) for _ in predictions]
        for question in self._questions:
            some = question.windows
            asked, cosines = [own[some] for own in predictions], [target[some] for target in targets]
            counts = count_ahead_together(asked, cosines, question.candidates.vectors, question.barred, question.own)
            for ranks, cosine, nested in zip(found, cosines, counts, strict=True):
                ranks.put(question, nested, cosine)
        return found


def questions(windows: Windows, evaluation: EvaluationSet) -> list[Question]:
    """Everything that the targets of some windows are ranked among."""
    found = list(_in_articles(windows, evaluation))
    if evaluation.asked_bank is None:  # else it streams past all windows at once, when they have been predicted
        found += _in_bank(windows, evaluation)
    return found


def _in_articles(windows: Windows, evaluation: EvaluationSet) -> Iterator[Question]:
    """The targets among the chunks of their articles, and among those that the context has not shown."""
    for some, rows in _by_article(windows):
        asked, candidates = windows.take(some), evaluation.candidates(rows)
        begin = windows.corpus.starts[asked.clusters]
        first, end = (np.searchsorted(rows, r) for r in (begin, begin + windows.corpus.lengths[asked.clusters]))
        equal, shown = candidates.equal(evaluation.labels_of(asked.targets)), candidates.shown(asked)
        # A chunk of another article that equals the target is no candidate here in the first place.
        equal = equal.take((equal.candidate >= first[equal.window]) & (equal.candidate < end[equal.window]))
        rivals = _left(end - first, [equal, equal.joined(shown)])
        yield Question(some, slice(0, 2), candidates, (equal, shown), (first, end), rivals)


def _by_article(windows: Windows) -> Iterator[tuple[Int[np.ndarray, " b"], Int[np.ndarray, " m"]]]:
    """Windows in portions, and all chunks of their articles."""
    clusters, corpus = windows.clusters, windows.corpus
    order = np.argsort(clusters, kind="stable")
    articles, first = np.unique(clusters[order], return_index=True)
    bounds = np.append(first, len(order))
    begin = 0
    while begin < len(articles):
        chunks = np.cumsum(corpus.lengths[articles[begin:]])
        end = begin + max(1, int(np.searchsorted(chunks, _CHUNKS, side="right")))
        rows, some = corpus.rows_of(articles[begin:end]), order[bounds[begin] : bounds[end]]
        for part in slices(len(some), _WINDOWS):  # an article may hold any number
            yield some[part], rows
        begin = end


def _in_bank(windows: Windows, evaluation: EvaluationSet) -> Iterator[Question]:
    """The targets among chunks of the whole split that the context has not shown."""
    candidates = evaluation.bank
    for part in slices(len(windows), _WINDOWS):
        asked = windows.take(part)
        barred = candidates.equal(evaluation.labels_of(asked.targets)).joined(candidates.shown(asked))
        rivals = _left(np.full(len(asked), len(candidates.rows)), [barred])
        yield Question(np.arange(part.start, part.stop), slice(2, 3), candidates, (barred,), None, rivals)


def _left(size: Int[np.ndarray, " b"], barred: Sequence[Pairs]) -> Int[np.ndarray, "b sets"]:
    """How many of the candidates of each window count in each set."""
    return np.stack([size - np.bincount(pairs.window, minlength=len(size)) for pairs in barred], axis=1)
