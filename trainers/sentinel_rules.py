"""What the sentinel saw after an epoch, and the rules that act on it: pure functions of plain metrics.

A metric that was not measured is None and never zero: the original trainer logged 0.0 for a margin it had not
computed, and the zero was read as a neutral margin (docs/sources.md, "Unmeasured zeros").
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lvm_gates.harness.judging.judge import show_offset
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.trainers.config import NEEDS_NO_SENTINEL, Select

# The documents let a run settle before they look: "from epoch 3 on" (docs/sources.md, "V3").
FIRST_EPOCH_TO_BACK_OFF = 3
TARGET_OFFSET = 1
# Below the best mean cosine so far. The original collapses fell by .186 (V3), .202 (P4), .525 (P6b v1) and .155 (P7)
# in one epoch; the largest fall of an ordinary epoch is .043, of P3 when its auxiliary terms came on
# (docs/sources.md, "Reported metrics").
COLLAPSING_FALL = 0.10


# Where a reading keeps what a profile calls by gate and statistic.
_READING = {
    ("A", "margin"): "margin",
    ("A", "c.1"): "cosine",
    ("B", "article.R@5"): "article.R@5",
    ("D", "mean"): "rollout",
}


@dataclass(frozen=True)
class Reading:
    """What the sentinel saw after one epoch.

    Attributes:
        epoch: from 1.
        metrics: plain JSON values, where VALUE is {"value", "low", "high", "n"}: ``cosine``, ``c`` (offset -> VALUE),
            ``margin`` (+1 minus the best other), ``margin_vs_last`` (minus k=0), ``margin_vs_previous`` (minus k=-1),
            ``rollout``, ``skill_cosine`` and ``skill_mrr`` (minus persistence, MRR in candidate set `novel`) and ``F``
            (see `trainers.sentinel`) are VALUE; ``peak`` is an offset; ``article`` and ``novel`` hold ``R@1``, ``R@5``
            and ``MRR`` as VALUE beside the set's ``size`` and ``chance``; ``rank_ratio``, ``rank_ratio_centred`` and
            ``variance_ratio`` are of the predictions over the targets; ``finite`` is the share of predictions that
            have a direction, ``collapsed`` the release rule's word. None is what could not be measured.
        findings: sentences about what would block a release; one of them explains ``collapsed``.
    """

    epoch: int
    metrics: Mapping[str, Any]
    findings: tuple[str, ...]

    def value(self, name: str) -> float:
        """The value of a VALUE or of a plain number, ``.`` between keys; NaN where it could not be measured."""
        node: Any = self.metrics
        for key in name.split("."):
            node = node[key]
        if isinstance(node, Mapping):
            node = node["value"]
        return math.nan if node is None else float(node)


def backs_off(reading: Reading) -> str | None:
    """Whether the auxiliary terms should weigh nothing from the next epoch on, by the rule of the V3 post-mortem.

    Source: docs/sources.md, "V3".

    The rule: from epoch 3 on, the peak is not at k=+1 and the margin of +1 over k=-1 is not positive. On real text it
    always fires, since the optimal regressor of a nearly reversible chain is nearer to its context than to the target
    (docs/specification.md, "Why the five gates are not enough on text"); every reported offset sweep meets it
    (docs/sources.md, "Reported metrics"). So it says nothing about the auxiliary terms, and acting on it is not
    the default.

    Returns:
        A sentence, or None: the rule does not fire, or the offsets could not be measured.
    """
    margin = reading.value("margin_vs_previous")
    peak = reading.metrics["peak"]
    if reading.epoch < FIRST_EPOCH_TO_BACK_OFF or peak in (None, TARGET_OFFSET) or not margin <= 0:
        return None
    return (
        f"the prediction is nearest to {show_offset(peak)} and its margin over k=-1 is {margin:+.3f}, so the auxiliary "
        "terms are dropped to zero"
    )


def aborts(reading: Reading, best: Reading | None) -> str | None:
    """Whether going on is pointless.

    Three reasons: a prediction without a direction; collapse, by the rule that blocks a release
    (`harness.judging.release`), of a run that had not been collapsed before; a mean cosine more than `COLLAPSING_FALL`
    below the best so far. None of the original runs that fell so far came back: V3 had .362 after 20 epochs, P4 .335,
    P7 .271 (docs/sources.md, "Reported metrics").

    A run that is collapsed from the start may be ordinary: a network learns the mean of the corpus first, and after
    20 steps its predictions varied .005 as much as the targets, where the floor is .01 (measured: P1, 128 wide, 1,302
    windows of dataset `wiki` at 384 dimensions; .016 an epoch later).

    Args:
        reading: of the last epoch.
        best: the reading with the highest mean cosine among the earlier epochs, None in the first.

    Returns:
        A sentence, or None.
    """
    finite = reading.value("finite")
    if finite < 1:
        return f"{1 - finite:.1%} of the predictions are not finite or have no direction"
    if best is None:
        return None
    if reading.metrics["collapsed"] and not best.metrics["collapsed"]:
        return "; ".join(reading.findings)
    return fell(reading, best)


def fell(reading: Reading, best: Reading) -> str | None:
    """Whether the mean cosine lies more than `COLLAPSING_FALL` below the best so far, as a sentence."""
    now, then = reading.value("cosine"), best.value("cosine")
    if now < then - COLLAPSING_FALL:
        return (
            f"the mean cosine fell from {then:.3f} in epoch {best.epoch} to {now:.3f} in epoch {reading.epoch}, by "
            f"more than {COLLAPSING_FALL:.2f}"
        )
    return None


@dataclass(frozen=True)
class StageGate:
    """What a curriculum stage must reach before the next begins.

    Attributes:
        limits: what people read, the name that a `Reading` has for it, and the least it may be.
    """

    limits: tuple[tuple[str, str, float], ...]

    @classmethod
    def documented(cls) -> "StageGate":
        """Stage A of P5: release rule `stage-a` of profile `5cat`, as far as a reading can tell.

        The document also asks for 3 of 5 gates, which only a gate session can tell: a reading has no ablations and no
        OOD.
        """
        checks = load_profile("5cat").rule("stage-a").checks
        return cls(tuple((c.label, _READING[c.gate, c.statistic], c.limits["VAL"]) for c in checks))

    def misses(self, reading: Reading) -> list[str]:
        """A sentence for each threshold that is not met; a metric that could not be measured does not meet its own."""
        return [
            f"{label} is {_show(value)}, wanted >= {limit:+.2f}"
            for label, name, limit in self.limits
            if not (value := reading.value(name)) >= limit
        ]


def selection(criterion: Select, val_cosine: float, val_margin_vs_last: float, reading: Reading | None) -> float:
    """The metric that the best checkpoint is chosen by; larger is better.

    ``val_cos`` is the original choice of every recipe but P7, and ``last-margin``, the cosine to the target minus that
    to the last frame, P7's. ``margin`` is +1 minus the best other offset; of the original runs the largest, -.007,
    belongs to V1 with a cosine of .158 (docs/sources.md, "V3"): a model that resembles nothing has none to lose.
    ``skill`` is F, the MRR in candidate set `novel` minus what the trivial controls reach at the model's cosine: the
    point value of what profile `skill` releases by. Cosine alone would choose the epoch that is most like the context's
    mean and MRR alone the one most like a copy (docs/specification.md, "Cosine against rank"); F rises with both, at
    the rate at which the controls trade one for the other. Beyond every control's cosine it is MRR alone that counts.

    Args:
        criterion: which.
        val_cosine: mean cosine to the target on the VAL windows of the run.
        val_margin_vs_last: that minus the mean cosine to the last frame.
        reading: of the same epoch, None where no sentinel watches.

    Returns:
        The metric, -inf where it is undefined.
    """
    if criterion in NEEDS_NO_SENTINEL:
        value = val_cosine if criterion == "val_cos" else val_margin_vs_last
    elif reading is None:
        value = math.nan
    else:
        value = reading.value("margin" if criterion == "margin" else "F")
    return -math.inf if math.isnan(value) else value


def _show(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:+.3f}"
