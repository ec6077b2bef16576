"""What profile `skill` says of a model on one split."""

import msgspec

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate
from lvm_gates.harness.base.record import Count, Finite, Number, Record
from lvm_gates.harness.evaluation.collapse import Spread


class OrderEffects(Record, frozen=True, kw_only=True):
    """Change of the cosine when the order of the context is spoiled."""

    shuffle: Estimate
    reverse: Estimate


class Vertex(Record, frozen=True, kw_only=True):
    """A rival that makes the frontier.

    Attributes:
        cosine: to the target.
        mrr: in candidate set `novel`.
        weights: oldest frame first, then ridge, then climatology (and the judged split's mean).
    """

    cosine: Estimate
    mrr: Estimate = msgspec.field(name="MRR")
    weights: list[Finite] = msgspec.field(default_factory=list)


class Step(Record, frozen=True, kw_only=True):
    """One horizon of the closed loop: the model minus a rival."""

    horizon: Count
    control: str
    difference: Estimate


class Third(Record, frozen=True, kw_only=True):
    """F within one third of context coherence, from ``start`` to ``end``."""

    start: Finite = msgspec.field(name="from")
    end: Finite = msgspec.field(name="to")
    gain: Estimate = msgspec.field(name="F")


class EffectiveRank(Record, frozen=True, kw_only=True):
    """How much of the space some vectors occupy; see `harness.evaluation.collapse`."""

    rankme: Number
    rankme_centred: Number
    variance: Number = float("nan")
    n: Count

    @classmethod
    def of(cls, spread: Spread) -> "EffectiveRank":
        """As it was measured."""
        return cls(**spread._asdict())


class EffectiveRanks(Record, frozen=True, kw_only=True):
    """Of the predictions, of the ridge control's, and of the targets."""

    model: EffectiveRank
    linear: EffectiveRank
    target: EffectiveRank


class SkillMetrics(Record, frozen=True, kw_only=True):
    """A model against everything trivial, on the windows of one split that count.

    Attributes:
        near_duplicates: windows left out because their target nearly equals a training chunk.
        cosine: to the target.
        mrr: in candidate set `novel`.
        gain: F, its MRR minus the frontier's at its cosine.
        excess_cosine: its cosine minus every rival's best.
        beyond_frontier: whether that is above zero.
        rivals: how many; null in reports from before they were counted.
        rivals_know_domain: whether some know the mean of the judged split.
        frontier: name -> rival that makes it, from the best rank to the best cosine.
        best_mrr_control: the rival of best MRR, None where no window counts.
        best_cosine_control: the same of cosine.
        mrr_vs_best: MRR minus that rival's, paired.
        cosine_vs_best: cosine minus that rival's, paired.
        order: effect of spoiling the order.
        rollout: at each horizon the difference to the rival that is nearest in cosine.
        by_coherence: F in each third.
        par: largest cosine to a context frame over the reference's own.
        par_linear: the same of the ridge control.
        echo: distance to the nearest context frame over ridge's.
        rankme: effective ranks.
        rank_ratio: effective rank over ridge's.
        rank_ratio_centred: the same of centred vectors.
    """

    near_duplicates: Count = 0
    cosine: Estimate
    mrr: Estimate = msgspec.field(name="MRR")
    gain: Estimate = msgspec.field(name="F")
    excess_cosine: Estimate
    beyond_frontier: bool
    rivals: Count | None = None
    rivals_know_domain: bool = False
    frontier: dict[str, Vertex]
    best_mrr_control: str | None
    best_cosine_control: str | None
    mrr_vs_best: Estimate = msgspec.field(name="retrieval")
    cosine_vs_best: Estimate = msgspec.field(name="decoding")
    order: OrderEffects
    rollout: list[Step]
    by_coherence: list[Third]
    par: Estimate
    par_linear: Estimate
    echo: Estimate
    rankme: EffectiveRanks
    rank_ratio: Estimate
    rank_ratio_centred: Estimate


class TaskSkill(SkillMetrics, frozen=True, kw_only=True):
    """The same with the task's own metric picked out.

    Attributes:
        n: windows that count.
        articles: that they are of.
        task_metric: F, or what the session's task judges by in its place.
        rollout_worst: the step of the closed loop with the lowest lower bound.
    """

    n: Count
    articles: Count = 0
    task_metric: Estimate = msgspec.field(name="task_figure")
    rollout_worst: Estimate = UNDEFINED
