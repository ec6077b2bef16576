"""Profile `skill`: a model against the frontier that trivial controls reach together on the same windows.

Cosine alone rewards the mean of the context, rank alone rewards copying the last frame, and the controls trace a curve
between the two (SPEC section 4). The frontier at cosine c is the best MRR that the controls reach with cosine at least
c, alone or by tossing a coin between two of them: tossing coins makes every chord reachable, so the curve is concave.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from harness.ablations import REVERSE, SHUFFLE
from harness.observations import Observations
from harness.retrieval import POOLS
from harness.statistics.ablations import ablation_effects
from harness.stats import UNDEFINED, Estimate, bootstrap_weights, cluster_mean, paired_difference, percentile_interval

RESAMPLES = 2_000
_NOVEL = POOLS.index("novel")


class _Totals(NamedTuple):
    """Per-article sums from which every resampled mean follows."""

    windows: Float[np.ndarray, " g"]
    cosine: Float[np.ndarray, "g k"]
    mrr: Float[np.ndarray, "g k"]

    def means(self, weights: Float[np.ndarray, "b g"]) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
        count = (weights @ self.windows)[:, None]
        return weights @ self.cosine / count, weights @ self.mrr / count


def frontier_mrr(
    cosine: Float[np.ndarray, "b k"], mrr: Float[np.ndarray, "b k"], at: Float[np.ndarray, " b"]
) -> Float[np.ndarray, " b"]:
    """The frontier's MRR at cosine ``at``, for each of B sets of K controls.

    Beyond the largest cosine of any control the frontier continues flat, at the MRR of that control.
    """
    query = np.minimum(at, cosine.max(axis=1))[:, None]
    reached = np.where(cosine >= query, mrr, -np.inf).max(axis=1)
    left, right = cosine[:, :, None], cosine[:, None, :]
    spans = (left <= query[:, :, None]) & (right >= query[:, :, None]) & (right > left)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (query[:, :, None] - left) / (right - left)
        chord = mrr[:, :, None] * (1 - share) + mrr[:, None, :] * share
    return np.asarray(np.maximum(reached, np.where(spans, chord, -np.inf).max(axis=(1, 2))))


def skill(
    observed: Observations,
    controls: Mapping[str, Observations],
    near_duplicate: Bool[np.ndarray, " n"],
    seed: int,
) -> dict[str, Any]:
    """Every figure of profile `skill` for one split.

    Args:
        observed: of the model.
        controls: of the frontier controls, on the same windows; "linear" among them.
        near_duplicate: windows whose target nearly equals a training chunk; counted and left out.
        seed: of the bootstrap.

    Returns:
        ``F`` (model's MRR less the frontier's at the model's cosine), ``excess_cosine`` (over the best control),
        ``beyond_frontier``, ``retrieval`` and ``decoding`` (paired differences to the best control), ``order``,
        ``rollout``, ``par``, ``rank_ratio``, ``by_coherence`` and the frontier's points.
    """
    kept = np.flatnonzero(~near_duplicate)
    observed = observed.take(kept)
    controls = {name: control.take(kept) for name, control in controls.items()}
    names = list(controls)
    cosine = np.stack([observed.cosine, *(control.cosine for control in controls.values())], axis=1)
    mrr = 1.0 / np.stack([o.rank[:, _NOVEL] for o in (observed, *controls.values())], axis=1)
    clusters = observed.clusters
    best_mrr, best_cosine = (names[int(np.argmax(m[:, 1:].mean(axis=0)))] if len(kept) else None for m in (mrr, cosine))
    figures = {
        "near_duplicates": int(near_duplicate.sum()),
        "cosine": cluster_mean(cosine[:, 0], clusters),
        "MRR": cluster_mean(mrr[:, 0], clusters),
        **against_frontier(cosine, mrr, clusters, seed),
        "frontier": {
            name: {"cosine": cluster_mean(cosine[:, i], clusters), "MRR": cluster_mean(mrr[:, i], clusters)}
            for i, name in enumerate(names, start=1)
        },
        "best_mrr_control": best_mrr,
        "best_cosine_control": best_cosine,
        "order": _order(observed),
        "rollout": _rollout(observed, controls),
        "by_coherence": _thirds(cosine, mrr, clusters, observed.coherence, seed),
        **_shape(observed, controls["linear"]),
    }
    if best_mrr is not None and best_cosine is not None:
        figures["retrieval"] = paired_difference(mrr[:, 0], mrr[:, 1 + names.index(best_mrr)], clusters)
        figures["decoding"] = paired_difference(cosine[:, 0], cosine[:, 1 + names.index(best_cosine)], clusters)
    return figures


def against_frontier(
    cosine: Float[np.ndarray, "n k"], mrr: Float[np.ndarray, "n k"], clusters: Int[np.ndarray, " n"], seed: int
) -> dict[str, Any]:
    """A model against the frontier of K controls, which is recomputed in each resample of articles.

    Args:
        cosine: of the model in column 0, of the controls in the others.
        mrr: the same.
        clusters: article of each window.
        seed: of the bootstrap.

    Returns:
        ``F``, ``excess_cosine`` and ``beyond_frontier``; see `skill`.
    """
    n = len(clusters)
    undefined = Estimate(float("nan"), float("nan"), float("nan"), n)
    if n == 0 or not np.isfinite(cosine).all():
        return {"F": undefined, "excess_cosine": undefined, "beyond_frontier": False}
    totals = _totals(cosine, mrr, clusters)
    groups = len(totals.windows)
    point = totals.means(np.ones((1, groups)))
    draws = totals.means(bootstrap_weights(groups, RESAMPLES if groups > 1 else 0, seed))
    figures = {}
    for name, statistic in (("F", _excess_mrr), ("excess_cosine", _excess_cosine)):
        figures[name] = percentile_interval(float(statistic(*point)[0]), statistic(*draws), n)
    return {**figures, "beyond_frontier": figures["excess_cosine"].value > 0}


def _totals(
    cosine: Float[np.ndarray, "n k"], mrr: Float[np.ndarray, "n k"], clusters: Int[np.ndarray, " n"]
) -> _Totals:
    _, index = np.unique(clusters, return_inverse=True)
    groups = int(index.max()) + 1
    sums = np.zeros((2, groups, cosine.shape[1]))
    np.add.at(sums[0], index, cosine)
    np.add.at(sums[1], index, mrr)
    return _Totals(np.bincount(index).astype(np.float64), sums[0], sums[1])


def _excess_mrr(cosine: Float[np.ndarray, "b k"], mrr: Float[np.ndarray, "b k"]) -> Float[np.ndarray, " b"]:
    return np.asarray(mrr[:, 0] - frontier_mrr(cosine[:, 1:], mrr[:, 1:], cosine[:, 0]))


def _excess_cosine(cosine: Float[np.ndarray, "b k"], mrr: Float[np.ndarray, "b k"]) -> Float[np.ndarray, " b"]:
    return np.asarray(cosine[:, 0] - cosine[:, 1:].max(axis=1))


def _order(observed: Observations) -> dict[str, Estimate]:
    effects = ablation_effects(observed)
    return {SHUFFLE: effects[SHUFFLE], REVERSE: effects[REVERSE]}


def _rollout(observed: Observations, controls: Mapping[str, Observations]) -> list[dict[str, Any]]:
    """At each horizon: the control whose mean rollout cosine is nearest to the model's, and the paired difference.

    A closed-loop cosine is compared with that of the control that has the same cosine at horizon 1.
    """
    if len(observed) == 0 or not np.isfinite(observed.cosine).all():
        return []
    own = float(np.mean(observed.cosine))
    nearest = min(controls, key=lambda name: abs(float(np.mean(controls[name].cosine)) - own))
    kept = observed.rollout_exists
    return [
        {
            "horizon": h,
            "control": nearest,
            "difference": paired_difference(mine, theirs, observed.clusters[kept]),
        }
        for h, (mine, theirs) in enumerate(
            zip(observed.rollout[kept].T, controls[nearest].rollout[kept].T, strict=True), start=1
        )
    ]


def _thirds(
    cosine: Float[np.ndarray, "n k"],
    mrr: Float[np.ndarray, "n k"],
    clusters: Int[np.ndarray, " n"],
    coherence: Float[np.ndarray, " n"],
    seed: int,
) -> list[dict[str, Any]]:
    if len(coherence) < 3 or not np.isfinite(coherence).all():
        return []
    edges = np.quantile(coherence, [0, 1 / 3, 2 / 3, 1])
    third = np.clip(np.searchsorted(edges[1:3], coherence, side="left"), 0, 2)
    return [
        {
            "from": float(edges[i]),
            "to": float(edges[i + 1]),
            "F": against_frontier(cosine[third == i], mrr[third == i], clusters[third == i], seed)["F"],
        }
        for i in range(3)
    ]


def _shape(observed: Observations, linear: Observations) -> dict[str, Any]:
    """Echo and collapse, relative to the ridge control: an optimal regressor shrinks too (measured: rank ratio .48)."""
    return {
        "par": _par(observed),
        "par_linear": _par(linear),
        "rankme": {
            "model": observed.spread._asdict(),
            "linear": linear.spread._asdict(),
            "target": observed.target_spread._asdict(),
        },
        "rank_ratio": _ratio(observed.spread.rankme, linear.spread.rankme, observed.spread.n),
        "rank_ratio_centred": _ratio(observed.spread.rankme_centred, linear.spread.rankme_centred, observed.spread.n),
    }


def _par(observed: Observations) -> Estimate:
    """PAR of LCM (arXiv 2412.08821): largest cosine to a context frame, over the reference's own; a ratio of means."""
    if len(observed) == 0:
        return UNDEFINED
    reference = float(np.mean(observed.nearest_reference))
    ratio = float(np.mean(observed.nearest_context)) / reference
    # The interval of a ratio is that of its linearised residual.
    residual = observed.nearest_context - ratio * observed.nearest_reference
    around = cluster_mean(residual / reference, observed.clusters)
    return Estimate(ratio, ratio + around.low, ratio + around.high, around.n)


def _ratio(a: float, b: float, n: int) -> Estimate:
    """A ratio of effective ranks: a figure of ``n`` predictions taken together, with no interval of its own."""
    return Estimate(a / b if b else float("nan"), float("nan"), float("nan"), n)
