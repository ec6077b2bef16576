"""Gate B: is the target found among the candidates?"""

import msgspec
import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.estimate import Estimate, cluster_mean, cluster_share
from lvm_gates.harness.base.record import Finite, Record
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.observations import Observations


class Chance(Record, frozen=True, kw_only=True):
    """What a random order of the candidates would score; null without windows."""

    r1: Finite | None = msgspec.field(name="R@1")
    r5: Finite | None = msgspec.field(name="R@5")
    mrr: Finite | None = msgspec.field(name="MRR")


class Approximation(Record, frozen=True, kw_only=True):
    """What an approximate index misses, on the windows that were ranked exactly too; ``n`` says how many.

    Attributes:
        recall: share of the 100 chunks nearest to the prediction that the index finds.
        mrr_excess: MRR in the index minus the exact one.
    """

    recall: Estimate
    mrr_excess: Estimate


class Pool(Record, frozen=True, kw_only=True):
    """The rank of the target among one set of candidates.

    Attributes:
        r1: share of windows whose target ranks first.
        r5: among the first five.
        mrr: mean reciprocal rank.
        mean_rank: from 1.
        size: mean number of candidates, the target included.
        chance: R@1 of a random order.
        chance_of: the same of the other scores.
        approximation: where candidates come from an approximate index; null where ranks are exact.
    """

    r1: Estimate = msgspec.field(name="R@1")
    r5: Estimate = msgspec.field(name="R@5")
    mrr: Estimate = msgspec.field(name="MRR")
    mean_rank: Estimate
    size: Finite | None
    chance: Finite | None
    chance_of: Chance
    approximation: Approximation | None = None


class Retrieval(Record, frozen=True, kw_only=True):
    """The candidate sets.

    Attributes:
        article: the chunks of the target's article.
        novel: those of them outside the context.
        everywhere: chunks of the whole split.
    """

    article: Pool
    novel: Pool
    everywhere: Pool = msgspec.field(name="global")

    def items(self) -> list[tuple[str, Pool]]:
        """Name and scores of each candidate set."""
        return [(pool, self[pool]) for pool in POOLS]


def retrieval(observed: Observations) -> Retrieval:
    """R@1, R@5, MRR and mean rank in each candidate set, with its mean size and what chance would score."""
    article, novel, everywhere = (
        _pool(observed.rank[:, i], observed.pool_size[:, i], observed.clusters) for i in range(len(POOLS))
    )
    return Retrieval(
        article=article,
        novel=novel,
        everywhere=msgspec.structs.replace(everywhere, approximation=_approximation(observed)),
    )


def _approximation(observed: Observations) -> Approximation | None:
    exact = observed.index_sample[:, 1]
    sampled = np.isfinite(exact)
    if not sampled.any():
        return None
    rank, clusters = observed.rank[sampled, POOLS.index("global")], observed.clusters[sampled]
    return Approximation(
        recall=cluster_share(observed.index_sample[sampled, 0], clusters),
        mrr_excess=cluster_mean(1.0 / rank - 1.0 / exact[sampled], clusters),
    )


def _pool(rank: Float[np.ndarray, " n"], size: Int[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]) -> Pool:
    chance = Chance(
        r1=float(np.mean(1.0 / size)) if len(size) else None,
        r5=float(np.mean(np.minimum(1.0, 5.0 / size))) if len(size) else None,
        mrr=float(np.mean(_harmonic(size) / size)) if len(size) else None,
    )
    return Pool(
        r1=cluster_share(_hits(rank, 1), clusters),
        r5=cluster_share(_hits(rank, 5), clusters),
        mrr=cluster_share(1.0 / rank, clusters),
        mean_rank=cluster_mean(rank, clusters),
        size=float(np.mean(size)) if len(size) else None,
        chance=chance.r1,
        chance_of=chance,
    )


def _hits(rank: Float[np.ndarray, " n"], k: int) -> Float[np.ndarray, " n"]:
    # A rank is NaN only where the protocol has no such set: undefined, not a miss.
    return np.where(np.isnan(rank), np.nan, rank <= k)


def _harmonic(size: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    table = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, size.max() + 1))])
    return np.asarray(table[size])
