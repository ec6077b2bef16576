"""Where a model is weak: metrics by kind of window, and the windows and articles that it predicts worst.

Nothing here is judged. Ridge stands beside every number: a window that ridge misses as well is hard, not a fault.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.estimate import Estimate, cluster_mean, cluster_share, paired_difference
from lvm_gates.harness.base.record import Count, Finite, Number, Record
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS
from lvm_gates.harness.evaluation.observations import Observations

By = Literal["coherence", "position", "length"]
WORST_WINDOWS, WORST_ARTICLES = 10, 5
# An article of two judged windows is worst by accident.
_FEWEST_WINDOWS = 5
_POSITIONS = np.linspace(0.0, 1.0, 5)
_QUARTERS, _THIRDS = np.linspace(0.0, 1.0, 5), np.linspace(0.0, 1.0, 4)
_ARTICLE = POOLS.index("article")


class Slice(Record, frozen=True, kw_only=True):
    """The windows of one kind.

    Attributes:
        by: what tells them apart: mean adjacent cosine of the context, place of the target in its article (0 is the
            first chunk, 1 the last), or chunks of the article.
        start: least of it.
        end: most of it.
        cosine: to the target.
        mrr: among the chunks of the article.
        over_ridge: cosine minus that of the ridge control, paired.
    """

    by: By
    start: Finite = msgspec.field(name="from")
    end: Finite = msgspec.field(name="to")
    cosine: Estimate
    mrr: Estimate = msgspec.field(name="MRR")
    over_ridge: Estimate


class WorstWindow(Record, frozen=True, kw_only=True):
    """A window that is predicted badly.

    Attributes:
        row: of the target in the corpus.
        article: id of its article.
        chunk: index of the target in it.
        cosine: to the target; null where the prediction has no direction.
        ridge: the same of the ridge control.
        rank: of the target among the chunks of its article, from 1.
        candidates: how many these are.
        coherence: mean adjacent cosine of the context; null of a single frame.
        nearest: offset of the chunk that the prediction is nearest to; null where the article ends before.
        context: text of the last frames, oldest first, cut short; empty where it is not known.
        target: text of the target; "" where it is not known.
    """

    row: Count
    article: int
    chunk: int
    cosine: Number
    ridge: Number
    rank: Number
    candidates: Count
    coherence: Number
    nearest: int | None
    context: list[str] = msgspec.field(default_factory=list)
    target: str = ""


class WorstArticle(Record, frozen=True, kw_only=True):
    """An article that is predicted badly.

    Attributes:
        article: its id.
        chunks: in it.
        windows: of it that were judged.
        cosine: mean over them.
        ridge: the same of the ridge control.
        text: how it begins, cut short; "" where that is not known.
    """

    article: int
    chunks: Count
    windows: Count
    cosine: Number
    ridge: Number
    text: str = ""


class Breakdown(Record, frozen=True, kw_only=True):
    """One model on one split, leaked windows left out.

    Attributes:
        slices: by coherence, position and length, where these vary.
        windows: the worst, worst first.
        articles: the same.
    """

    slices: list[Slice]
    windows: list[WorstWindow]
    articles: list[WorstArticle]


@dataclass(frozen=True)
class Places:
    """Where each window of a split stands.

    Attributes:
        article: id of the article.
        chunk: index of the target in it, as the source numbers it.
        position: of the target in it, from 0 (first chunk) to 1 (last).
        length: chunks of the article.
    """

    article: Int[np.ndarray, " n"]
    chunk: Int[np.ndarray, " n"]
    position: Float[np.ndarray, " n"]
    length: Int[np.ndarray, " n"]


def breakdown(model: Observations, ridge: Observations, places: Places, kept: Bool[np.ndarray, " n"]) -> Breakdown:
    """See `Breakdown`.

    Args:
        model: observations of the model.
        ridge: of the ridge control on the same windows.
        places: of the same windows.
        kept: which of them count.
    """
    index = np.flatnonzero(kept)
    own, other = model.take(index), ridge.take(index)
    where = Places(*(column[index] for column in (places.article, places.chunk, places.position, places.length)))
    return Breakdown(
        slices=[
            *_slices("coherence", own.coherence, _QUARTERS, own, other),
            *_slices("position", where.position, None, own, other),
            *_slices("length", where.length.astype(np.float64), _THIRDS, own, other),
        ],
        windows=_worst_windows(own, other, where),
        articles=_worst_articles(own, other, where),
    )


def _slices(
    by: By,
    values: Float[np.ndarray, " n"],
    quantiles: Float[np.ndarray, " q"] | None,
    model: Observations,
    ridge: Observations,
) -> list[Slice]:
    """One slice for each range of ``values`` that some window lies in; none where there is one range only."""
    known = np.isfinite(values)
    if not known.any():
        return []
    edges = _POSITIONS if quantiles is None else np.unique(np.quantile(values[known], quantiles))
    found = []
    for i, (start, end) in enumerate(pairwise(edges)):
        last = i + 2 == len(edges)
        inside = known & (values >= start) & ((values <= end) if last else (values < end))
        if inside.any():
            found.append(_slice(by, float(start), float(end), np.flatnonzero(inside), model, ridge))
    return found if len(found) > 1 else []


def _slice(
    by: By, start: float, end: float, index: Int[np.ndarray, " m"], model: Observations, ridge: Observations
) -> Slice:
    clusters = model.clusters[index]
    return Slice(
        by=by,
        start=start,
        end=end,
        cosine=cluster_mean(model.cosine[index], clusters),
        mrr=cluster_share(1.0 / model.rank[index, _ARTICLE], clusters),
        over_ridge=paired_difference(model.cosine[index], ridge.cosine[index], clusters),
    )


def _worst_windows(model: Observations, ridge: Observations, where: Places) -> list[WorstWindow]:
    # A prediction without a direction is worse than any; among equals the first in reading order.
    order = np.argsort(np.where(np.isnan(model.cosine), -np.inf, model.cosine), kind="stable")
    return [
        WorstWindow(
            row=int(model.rows[i]),
            article=int(where.article[i]),
            chunk=int(where.chunk[i]),
            cosine=float(model.cosine[i]),
            ridge=float(ridge.cosine[i]),
            rank=float(model.rank[i, _ARTICLE]),
            candidates=int(model.pool_size[i, _ARTICLE]),
            coherence=float(model.coherence[i]),
            nearest=_nearest(model, int(i)),
        )
        for i in order[:WORST_WINDOWS]
    ]


def _nearest(model: Observations, i: int) -> int | None:
    if not model.offset_exists[i] or np.isnan(model.offset[i]).any():
        return None
    return OFFSETS[int(np.argmax(model.offset[i]))]


def _worst_articles(model: Observations, ridge: Observations, where: Places) -> list[WorstArticle]:
    ids, first, group, windows = np.unique(where.article, return_index=True, return_inverse=True, return_counts=True)
    means = [np.bincount(group, weights=one.cosine) / windows for one in (model, ridge)] if len(ids) else [ids, ids]
    order = np.argsort(np.where(np.isnan(means[0]), -np.inf, means[0]), kind="stable")
    return [
        WorstArticle(
            article=int(ids[i]),
            chunks=int(where.length[first[i]]),
            windows=int(windows[i]),
            cosine=float(means[0][i]),
            ridge=float(means[1][i]),
        )
        for i in order
        if windows[i] >= _FEWEST_WINDOWS
    ][:WORST_ARTICLES]
