"""Gate B: is the target found among the candidates?"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.estimate import cluster_mean, cluster_share
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.observations import Observations


def retrieval(observed: Observations) -> dict[str, Any]:
    """R@1, R@5, MRR and mean rank in each pool, with the pool's mean size and what chance would score.

    Returns:
        pool -> ``R@1``, ``R@5``, ``MRR``, ``mean_rank`` (Estimates), ``size`` (mean number of candidates), ``chance``
        (R@1 of a random order) and ``chance_of`` (R@1, R@5 and MRR of a random order).
    """
    return {
        pool: _pool(observed.rank[:, i], observed.pool_size[:, i], observed.clusters) for i, pool in enumerate(POOLS)
    }


def _pool(
    rank: Float[np.ndarray, " n"], size: Int[np.ndarray, " n"], clusters: Int[np.ndarray, " n"]
) -> dict[str, Any]:
    chance = {
        "R@1": float(np.mean(1.0 / size)) if len(size) else None,
        "R@5": float(np.mean(np.minimum(1.0, 5.0 / size))) if len(size) else None,
        "MRR": float(np.mean(_harmonic(size) / size)) if len(size) else None,
    }
    return {
        "R@1": cluster_share(_hits(rank, 1), clusters),
        "R@5": cluster_share(_hits(rank, 5), clusters),
        "MRR": cluster_share(1.0 / rank, clusters),
        "mean_rank": cluster_mean(rank, clusters),
        "size": float(np.mean(size)) if len(size) else None,
        "chance": chance["R@1"],
        "chance_of": chance,
    }


def _hits(rank: Float[np.ndarray, " n"], k: int) -> Float[np.ndarray, " n"]:
    # A rank is NaN only where the protocol has no such pool: undefined, not a miss.
    return np.where(np.isnan(rank), np.nan, rank <= k)


def _harmonic(size: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    table = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, size.max() + 1))])
    return np.asarray(table[size])
