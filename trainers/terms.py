"""Loss terms that several recipes share, each a function of a schedule and its constants."""

from torch import Tensor

from lvm_gates.trainers.losses import (
    adaptive_weight,
    adaptive_weight_published,
    directional_margin,
    future_margin,
)
from lvm_gates.trainers.objective import Step, Term
from lvm_gates.trainers.schedule import Schedule


def directional(weight: Schedule, margin: float, *, published: bool, adaptive: bool = False) -> Term:
    """Closer to the target than to the chunk before it, by ``margin``.

    The original code took the second-to-last frame it had read for "the chunk before"
    (docs/sources.md, "Frames and indices"), and its adaptive weight was one number for the batch where the documents
    promise one a sample (docs/sources.md, "P4").
    """

    def value(step: Step) -> Tensor:
        if not published:
            each = adaptive_weight(step.last, step.target) if adaptive else None
            return directional_margin(step.prediction, step.target, step.before, margin, each)
        plain = directional_margin(step.prediction, step.target, step.read[:, -2], margin)
        return plain * adaptive_weight_published(step.read[:, -1], step.target) if adaptive else plain

    return Term("directional", weight, value)


def future(weight: Schedule, margin: float) -> Term:
    """Closer to the target than to the two chunks after it; the original body was empty.

    Source: docs/sources.md, "Loss terms".
    """

    def value(step: Step) -> Tensor:
        return future_margin(step.prediction, step.target, step.future, step.future_exists, margin)

    return Term("future", weight, value)
