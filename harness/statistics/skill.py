"""Profile `skill`: a model against everything trivial, on the same windows (docs/specification.md, "Profile skill")."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, cluster_mean, paired_difference, ratio_of_means
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.collapse import rank_ratio
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.rivals.scores import RivalScores
from lvm_gates.harness.statistics.frontier import Frontier
from lvm_gates.harness.statistics.perturbations import ablation_effects
from lvm_gates.harness.statistics.skill_metrics import (
    EffectiveRank,
    EffectiveRanks,
    OrderEffects,
    SkillMetrics,
    Step,
    Third,
    Vertex,
)

_NOVEL = POOLS.index("novel")


@dataclass(frozen=True)
class SkillInputs:
    """What a model is compared with on one split.

    Attributes:
        rivals: scores of every rival on the windows of the split.
        linear: observations of the ridge control: what echo and collapse are measured against.
        near_duplicate: windows whose target nearly equals a training chunk; counted and left out.
        leaked: windows that stand in the training data; no metric counts them.
        rollout_of: name of a rival -> (n, H) cosines of its closed loop, NaN where the article ends before; None
            where no closed loop is compared.
    """

    rivals: RivalScores
    linear: Observations
    near_duplicate: Bool[np.ndarray, " n"]
    leaked: Bool[np.ndarray, " n"]
    rollout_of: Callable[[str], Float[np.ndarray, "n h"]] | None

    def without(self, leaked: Bool[np.ndarray, " n"]) -> "SkillInputs":
        """The same for a model that has seen other windows; itself, frontier and all, where they are the same."""
        return self if np.array_equal(leaked, self.leaked) else replace(self, leaked=leaked)

    @cached_property
    def with_leaked(self) -> "SkillInputs":
        """The same as if no window were leaked: what F would have been."""
        return replace(self, leaked=np.zeros_like(self.leaked))

    def without_domain(self) -> "SkillInputs":
        """The same without the rivals that know the mean of the judged domain."""
        return replace(self, rivals=self.rivals.without_domain())

    @cached_property
    def kept(self) -> Int[np.ndarray, " m"]:
        """Positions of the windows that count."""
        return np.flatnonzero(~(self.near_duplicate | self.leaked))

    @cached_property
    def clusters(self) -> Int[np.ndarray, " m"]:
        """Article of each of them."""
        return np.asarray(self.linear.clusters[self.kept])

    @cached_property
    def frontier(self) -> Frontier:
        """Of all rivals on the windows that count."""
        return self._frontier(np.arange(len(self.kept)))

    @cached_property
    def thirds(self) -> list[tuple[float, float, Int[np.ndarray, " t"], Frontier]]:
        """Thirds of context coherence: edges, positions among `kept`, and the frontier there."""
        coherence = self.linear.coherence[self.kept]
        if len(coherence) < 3 or not np.isfinite(coherence).all():
            return []
        edges = np.quantile(coherence, [0, 1 / 3, 2 / 3, 1])
        third = np.clip(np.searchsorted(edges[1:3], coherence, side="left"), 0, 2)
        parts = [np.flatnonzero(third == i) for i in range(3)]
        return [
            (float(edges[i]), float(edges[i + 1]), part, self._frontier(part))
            for i, part in enumerate(parts)
            if len(part)
        ]

    @cached_property
    def vertices(self) -> dict[str, Vertex]:
        """The rivals on the frontier, by name: the same for every model."""
        names, found = self.rivals.names, {}
        for i in self.frontier.vertices().tolist():
            cosine, reciprocal_rank = self.scores_of(i)
            found[names[i]] = Vertex(
                cosine=cluster_mean(cosine, self.clusters),
                mrr=cluster_mean(reciprocal_rank, self.clusters),
                weights=self.rivals.weights[i].tolist(),
            )
        return found

    def scores_of(self, rival: int) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Cosine and reciprocal rank of one rival on the windows that count."""
        return self.rivals.cosine[self.kept, rival], self.rivals.reciprocal_rank[self.kept, rival]

    def _frontier(self, part: Int[np.ndarray, " t"]) -> Frontier:
        scores = self.rivals.take(self.kept[part])
        return Frontier.of(scores.cosine, scores.reciprocal_rank, self.clusters[part])


def skill_metrics(observed: Observations, inputs: SkillInputs) -> SkillMetrics:
    """Every metric of profile `skill` for one split.

    Args:
        observed: of the model.
        inputs: what it is compared with, on the same windows.
    """
    observed = observed.take(inputs.kept)
    names, clusters = inputs.rivals.names, observed.clusters
    near_duplicates, shape = int(inputs.near_duplicate.sum()), _shape(observed, inputs)
    if not len(observed):
        return SkillMetrics(near_duplicates=near_duplicates, **_NOTHING, **shape)
    own_mrr = 1.0 / observed.rank[:, _NOVEL]
    gain, excess = _gains(observed, inputs)
    mean_cosine, mean_mrr = inputs.frontier.means
    best_mrr, best_cosine = int(np.argmax(mean_mrr)), int(np.argmax(mean_cosine))
    cosine_of_best, mrr_of_best = inputs.scores_of(best_cosine)[0], inputs.scores_of(best_mrr)[1]
    return SkillMetrics(
        near_duplicates=near_duplicates,
        cosine=cluster_mean(observed.cosine, clusters),
        mrr=cluster_mean(own_mrr, clusters),
        gain=gain,
        excess_cosine=excess,
        beyond_frontier=bool(excess.value > 0.0),
        rivals=len(names),
        rivals_know_domain=bool(inputs.rivals.knows_domain.any()),
        frontier=inputs.vertices,
        best_mrr_control=names[best_mrr],
        best_cosine_control=names[best_cosine],
        mrr_vs_best=paired_difference(own_mrr, mrr_of_best, clusters),
        cosine_vs_best=paired_difference(observed.cosine, cosine_of_best, clusters),
        order=_order(observed),
        rollout=_rollout(observed, inputs, {names[i]: float(mean_cosine[i]) for i in inputs.frontier.vertices()}),
        by_coherence=[
            Third(start=low, end=high, gain=frontier.gains(observed.cosine[part], own_mrr[part])[0])
            for low, high, part, frontier in inputs.thirds
        ],
        **shape,
    )


def gain_of(observed: Observations, inputs: SkillInputs) -> Estimate:
    """F alone; see `skill`."""
    return _gains(observed.take(inputs.kept), inputs)[0] if len(inputs.kept) else UNDEFINED


def _gains(kept: Observations, inputs: SkillInputs) -> tuple[Estimate, Estimate]:
    return inputs.frontier.gains(kept.cosine, 1.0 / kept.rank[:, _NOVEL])


# Of a split whose every target is a near-duplicate.
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("cosine", "mrr", "gain", "excess_cosine", "mrr_vs_best", "cosine_vs_best"), UNDEFINED),
    "beyond_frontier": False,
    "rivals": 0,
    "rivals_know_domain": False,
    "frontier": {},
    "best_mrr_control": None,
    "best_cosine_control": None,
    "order": OrderEffects(shuffle=UNDEFINED, reverse=UNDEFINED),
    "rollout": [],
    "by_coherence": [],
}


def _order(observed: Observations) -> OrderEffects:
    effects = ablation_effects(observed)
    return OrderEffects(shuffle=effects.shuffle, reverse=effects.reverse)


def _rollout(observed: Observations, inputs: SkillInputs, vertices: Mapping[str, float]) -> list[Step]:
    """At each horizon the paired difference to the rival on the frontier that is nearest to the model in cosine.

    A closed-loop cosine is compared with that of the rival that has the same cosine at horizon 1.
    """
    if inputs.rollout_of is None or not np.isfinite(observed.cosine).all():
        return []
    own = float(np.mean(observed.cosine))
    nearest = min(vertices, key=lambda name: abs(vertices[name] - own))
    kept = observed.rollout_exists
    theirs = inputs.rollout_of(nearest)[inputs.kept]
    return [
        Step(horizon=h, control=nearest, difference=paired_difference(mine, other, observed.clusters[kept]))
        for h, (mine, other) in enumerate(zip(observed.rollout[kept].T, theirs[kept].T, strict=True), start=1)
    ]


def _shape(observed: Observations, inputs: SkillInputs) -> dict[str, Any]:
    """Echo and collapse, relative to the ridge control: an optimal regressor shrinks too (measured: rank ratio .48)."""
    linear = inputs.linear.take(inputs.kept)
    return {
        # PAR of LCM (arXiv 2412.08821): the largest cosine to a context frame over the reference's own.
        "par": ratio_of_means(observed.nearest_context, observed.nearest_reference, observed.clusters),
        "par_linear": ratio_of_means(linear.nearest_context, linear.nearest_reference, linear.clusters),
        "echo": ratio_of_means(1.0 - observed.nearest_context, 1.0 - linear.nearest_context, observed.clusters),
        "rankme": EffectiveRanks(
            model=EffectiveRank.of(observed.spread),
            linear=EffectiveRank.of(linear.spread),
            target=EffectiveRank.of(observed.target_spread),
        ),
        "rank_ratio": _rank_ratio(observed, linear, 0),
        "rank_ratio_centred": _rank_ratio(observed, linear, 1),
    }


def _rank_ratio(observed: Observations, linear: Observations, column: int) -> Estimate:
    ranks = observed.spread[column], linear.spread[column]
    without = observed.rank_without, linear.rank_without
    return rank_ratio(ranks, without, column, observed.spread.n, len(np.unique(observed.clusters)))
