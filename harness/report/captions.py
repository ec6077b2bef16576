"""What each chart shows, in one sentence a split: under the chart, and in its place for those who cannot see it."""

import math
from collections.abc import Sequence

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.judging.card import CardRecord
from lvm_gates.harness.judging.judge import show_offset
from lvm_gates.harness.predictors.training_history import Training
from lvm_gates.harness.report import words
from lvm_gates.harness.report.overview import beyond
from lvm_gates.harness.statistics.breakdown import Slice

UNDEFINED = "undefined: not every prediction is finite"


def value(metric: Estimate | float | None, *, signed: bool = False) -> str:
    """Three decimals, without the zero before the point."""
    given = metric.value if isinstance(metric, Estimate) else metric
    return words.number(given, signed=signed, bare=True)


def offsets(card: CardRecord, split: str) -> str:
    """Of gate A."""
    sweep = card.gates.a.of(split)
    if sweep.peak is None:
        return UNDEFINED
    peak, target = sweep.c.get(str(sweep.peak)), sweep.c.get("1")
    if sweep.peak == 1:
        return f"nearest to k=+1, the target: cosine {value(target)}, {value(sweep.margin)} above the next best"
    where = "the last frame it read" if sweep.peak == 0 else "another chunk"
    return f"nearest to {show_offset(sweep.peak)}, {where} ({value(peak)}); the target, k=+1, has {value(target)}"


def retrieval(card: CardRecord, split: str) -> str:
    """Of gate B."""
    pool = card.gates.b.of(split).article
    if not math.isfinite(pool.r1.value):
        return UNDEFINED
    return (
        f"the target comes first among some {words.number(pool.size, digits=0)} chunks of its article in "
        f"{pool.r1.value:.0%} of windows (by chance {pool.chance or 0:.0%}), and among the first five in "
        f"{pool.r5.value:.0%}"
    )


def ablations(card: CardRecord, split: str) -> str:
    """Of gate C."""
    found = card.gates.c.of(split)
    if not math.isfinite(found.shuffle.value):
        return UNDEFINED
    return (
        f"shuffling the context changes the cosine by {value(found.shuffle, signed=True)}, reversing it by "
        f"{value(found.reverse, signed=True)}, a last frame from another article by "
        f"{value(found.cross_article, signed=True)}"
    )


def rollout(card: CardRecord, split: str) -> str:
    """Of gate D."""
    steps = card.gates.d.of(split).by_horizon
    if not steps or not math.isfinite(steps[-1].value):
        return UNDEFINED
    return f"cosine {value(steps[0])} at the first step and {value(steps[-1])} at step {len(steps)}"


def frontier(card: CardRecord, split: str) -> str:
    """Of profile `skill`."""
    skill = card.skill.of(split)
    if skill is None or not math.isfinite(skill.cosine.value):
        return UNDEFINED
    own = f"cosine {value(skill.cosine)} with rank score {value(skill.mrr)}"
    if beyond(skill, card.skill.task):
        return f"{own}: its cosine is {value(skill.excess_cosine)} more than any predictor without a network has"
    reach = skill.mrr.value - skill.gain.value
    return f"{own}; predictors without a network reach {value(reach)} at that cosine, a gain of {_gain(skill.gain)}"


def _gain(metric: Estimate) -> str:
    return words.metric_text(metric, signed=True, bare=True)


def slices(found: Sequence[Slice], names: Sequence[str]) -> str:
    """Of the kinds of window."""
    known = [
        (one.cosine.value, name) for one, name in zip(found, names, strict=True) if math.isfinite(one.cosine.value)
    ]
    if not known:
        return UNDEFINED
    low, high = min(known), max(known)
    return f"cosine {value(low[0])} at the weakest ({low[1]}) and {value(high[0])} at the strongest ({high[1]})"


def training(found: Training) -> str:
    """Of the run."""
    known = [(one.val_cosine, one.epoch) for one in found.epochs if math.isfinite(one.val_cosine)]
    judged = next((one for one in found.epochs if one.epoch == found.judged), None)
    if not known or judged is None:
        return UNDEFINED
    best, epoch = max(known)
    collapsed = [event for event in found.events if event.kind == "collapse"]
    said = f"collapse in epoch {collapsed[0].epoch} ({collapsed[0].text})" if collapsed else "no collapse"
    return (
        f"the judged weights are of epoch {found.judged} of {len(found.epochs)}, with VAL cosine "
        f"{value(judged.val_cosine)}; "
        f"the best was {value(best)} in epoch {epoch}; {said}"
    )


def losses(found: Training) -> str:
    """Of the same run: how far the loss went down."""
    known = [(one.epoch, one.train_loss, one.val_loss) for one in found.epochs if math.isfinite(one.val_loss)]
    if not known:
        return UNDEFINED
    (first, train, val), (last, train_end, val_end) = known[0], known[-1]
    return (
        f"from epoch {first} to {last}: {train:.3g} to {train_end:.3g} on the training windows, {val:.3g} to "
        f"{val_end:.3g} on VAL"
    )
