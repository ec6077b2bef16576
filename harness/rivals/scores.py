"""Cosine and reciprocal rank of every rival on every window, from Gram matrices.

A rival is ``a`` in the span of C + 2 vectors B of a window, so its cosine to the target t is ``a B t / |a B|`` with
``|a B|^2 = a (B B') a``, and its similarity to a candidate v is ``a (B v)``: one product of the basis with the
candidates serves all rivals. Ranks do not need the norm, but for the tolerance of ties.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from threadpoolctl import threadpool_limits

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.ranks import TIE
from lvm_gates.harness.rivals.basis import Basis
from lvm_gates.harness.rivals.blend import Blend
from lvm_gates.harness.rivals.domain import Domain
from lvm_gates.harness.rivals.family import DOMAIN_SUFFIX, Family, domain_family_of, family_of

# Windows in hand at once; a constant, so that nothing depends on any batch size.
_CHUNK = 256
# Similarities in hand at once (rivals x windows x candidates): 32 MB of float64, which stays in the caches' reach.
_CELLS = 4_000_000

# From contexts and the rows of their targets to the (B, P, D) vectors that rivals are blends of.
_PartsOf = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RivalScores:
    """What the rivals reach, one row a window and one column a rival.

    Attributes:
        names: of the K rivals.
        weights: (K, C + 2) of each; the last is of climatology, or of the domain where the name says so.
        cosine: (n, K) to the target.
        reciprocal_rank: (n, K) of the target in candidate set `novel`.
    """

    names: tuple[str, ...]
    weights: Float[np.ndarray, "k c_plus_2"]
    cosine: Float[np.ndarray, "n k"]
    reciprocal_rank: Float[np.ndarray, "n k"]

    def take(self, index: Int[np.ndarray, " m"]) -> "RivalScores":
        """The scores of fewer windows."""
        return RivalScores(self.names, self.weights, self.cosine[index], self.reciprocal_rank[index])

    @property
    def knows_domain(self) -> Bool[np.ndarray, " k"]:
        """Which rivals have the domain's mean for background; their names end in it."""
        return np.array([name.endswith(DOMAIN_SUFFIX) for name in self.names], dtype=bool)

    def without_domain(self) -> "RivalScores":
        """The rivals that know no more of the judged text than the training text tells."""
        kept = np.flatnonzero(~self.knows_domain)
        names = tuple(self.names[i] for i in kept)
        return RivalScores(names, self.weights[kept], self.cosine[:, kept], self.reciprocal_rank[:, kept])

    def save(self, path: Path) -> None:
        """Write atomically; another process may be waiting to read."""
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, **{**vars(self), "names": np.array(self.names, dtype=np.str_)})

    @classmethod
    def load(cls, path: Path) -> "RivalScores":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(tuple(stored["names"].tolist()), stored["weights"], stored["cosine"], stored["reciprocal_rank"])


def score_rivals(evaluation: EvaluationSet, family: Family, basis: Basis) -> RivalScores:
    """Score a family on the windows of one split.

    A rival without a direction on some window (its frames cancel) is left out: it is no predictor on this corpus.
    """
    return _scores(evaluation, family, family.weights, basis.of)


def score_all(evaluation: EvaluationSet, fitted: Float[np.ndarray, "f c_plus_2"], basis: Basis) -> RivalScores:
    """Score every rival there is: the grid, the fitted ones, and those that know the mean of the judged domain.

    Args:
        evaluation: windows and candidates of one split.
        fitted: weights learnt on training windows.
        basis: with climatology.
    """
    context = evaluation.windows.context
    strangers, acquainted = family_of(context).with_fitted(fitted), domain_family_of(context)
    domain = Domain.of(evaluation.corpus, evaluation.articles)

    def with_domain(
        contexts: Float[np.ndarray, "b c d"], rows: Int[np.ndarray, " b"]
    ) -> Float[np.ndarray, "b c_plus_3 d"]:
        return np.concatenate([basis.of(contexts, rows), domain.means(rows)[:, None]], axis=1)

    # Both families have frames and ridge in common; what one has for background is nothing to the other.
    nothing = [np.zeros((len(family.names), 1)) for family in (strangers, acquainted)]
    weights = [
        np.concatenate([strangers.weights, nothing[0]], axis=1),
        np.concatenate([acquainted.weights[:, :-1], nothing[1], acquainted.weights[:, -1:]], axis=1),
    ]
    everyone = Family((*strangers.names, *acquainted.names), np.concatenate([strangers.weights, acquainted.weights]))
    return _scores(evaluation, everyone, np.concatenate(weights), with_domain)


def _scores(
    evaluation: EvaluationSet, family: Family, weights: Float[np.ndarray, "k p"], parts_of: _PartsOf
) -> RivalScores:
    """Score a family whose weights are given over some parts of each window."""
    windows = evaluation.windows
    cosine = np.empty((len(windows), len(family.names)))
    reciprocal = np.empty_like(cosine)
    # Thousands of products of a few rows: threads that wait for each other on cores that others use too took six to ten
    # times the CPU of one (6.4 s and .8 s for 709 rivals on 1,500 windows).
    with threadpool_limits(1, user_api="blas"):
        for article in np.unique(windows.clusters):
            mine = np.flatnonzero(windows.clusters == article)
            for part in slices(len(mine), _CHUNK):
                cosine[mine[part]], reciprocal[mine[part]] = _score(
                    windows.take(mine[part]), int(article), evaluation, weights, parts_of
                )
    sound = np.flatnonzero(np.isfinite(cosine).all(axis=0))
    names = tuple(family.names[i] for i in sound)
    if len(sound) < len(family.names):
        cosine, reciprocal = cosine[:, sound], reciprocal[:, sound]
    return RivalScores(names, family.weights[sound], cosine, reciprocal)


def blend_of(name: str, scores: RivalScores, basis: Basis, evaluation: EvaluationSet) -> Blend:
    """One of the rivals that `score_all` scored, to be asked the ordinary way."""
    weights = scores.weights[scores.names.index(name)]
    return Blend(_with_domain(basis, evaluation) if name.endswith(DOMAIN_SUFFIX) else basis, weights)


def _with_domain(basis: Basis, evaluation: EvaluationSet) -> Basis:
    return replace(basis, domain=Domain.of(evaluation.corpus, evaluation.articles))


def _score(
    windows: Windows, article: int, evaluation: EvaluationSet, weights: Float[np.ndarray, "k p"], parts_of: _PartsOf
) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    corpus = windows.corpus
    rows = np.arange(corpus.starts[article], corpus.starts[article] + corpus.lengths[article])
    candidates = evaluation.candidates(rows)
    vectors = parts_of(evaluation.vectors(windows.context_rows), windows.targets)
    norm = norms(vectors, weights)
    flat = vectors.reshape(-1, corpus.dim)  # one product, not one a window
    products = (flat @ unit(candidates.vectors).T).reshape(*vectors.shape[:2], len(rows))
    place = windows.targets - rows[0]
    target = np.einsum("bi,ki->bk", products[np.arange(len(windows)), :, place], weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = target / norm
    rivals = candidates.novel(windows, evaluation.labels_of(windows.targets))
    return cosine, 1.0 / _ranks(products, weights, target, TIE * norm, rivals)


def norms(vectors: Float[np.ndarray, "b p d"], weights: Float[np.ndarray, "k p"]) -> np.ndarray:
    """(B, K) norm of each blend of each window's basis."""
    gram = vectors @ vectors.transpose(0, 2, 1)
    squared = np.einsum("bki,ki->bk", weights @ gram, weights)
    # Rounding leaves a blend that cancels at +-1e-17: no direction.
    return np.sqrt(np.where(squared > 1e-14, squared, 0.0))


def _ranks(
    products: Float[np.ndarray, "b p m"],
    weights: Float[np.ndarray, "k p"],
    target: Float[np.ndarray, "b k"],
    tie: Float[np.ndarray, "b k"],
    rivals: np.ndarray,
) -> Float[np.ndarray, "b k"]:
    """Expected rank of the target (`harness.evaluation.ranks.expected_rank`), for all rivals."""
    ranks = np.empty(target.shape)
    for i in range(len(products)):
        candidates = products[i][:, rivals[i]].T
        # One window's candidates at a time: the products stay in the cache, whatever the article's length.
        for part in slices(len(weights), max(1, _CELLS // products.shape[2])):
            similarity = candidates @ weights[part].T
            level, slack = target[i, part], tie[i, part]
            # Counted down the columns, in small integers: twice as fast as along the rows.
            above = (similarity > level + slack).sum(axis=0, dtype=np.int32)
            at_least = (similarity >= level - slack).sum(axis=0, dtype=np.int32)
            ranks[i, part] = 1.0 + above + 0.5 * (at_least - above)
    return ranks
