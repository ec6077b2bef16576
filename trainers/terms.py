"""Loss terms that several recipes share, each a function of its settings."""

from torch import Tensor

from lvm_gates.trainers.losses import (
    adaptive_weight,
    adaptive_weight_published,
    directional_margin,
    future_margin,
)
from lvm_gates.trainers.losses import (
    anti_copy as anti_copy_hinges,
)
from lvm_gates.trainers.objective import Step, Term
from lvm_gates.trainers.recipe_settings import Adaptive, Hinge


def directional(hinge: Hinge, *, published: bool, adaptive: Adaptive | None = None) -> Term:
    """Closer to the target than to the chunk before it.

    The original code took the second-to-last frame it had read for "the chunk before"
    (docs/sources.md, "Frames and indices"), and its adaptive weight was one number for the batch where the documents
    promise one a sample (docs/sources.md, "P4").
    """

    def value(step: Step) -> Tensor:
        if not published:
            each = adaptive_weight(step.last, step.target, adaptive.centre, adaptive.width) if adaptive else None
            return directional_margin(step.prediction, step.target, step.before, hinge.margin, each)
        plain = directional_margin(step.prediction, step.target, step.read[:, -2], hinge.margin)
        if adaptive is None:
            return plain
        return plain * adaptive_weight_published(step.read[:, -1], step.target, adaptive.centre, adaptive.width)

    return Term("directional", hinge.weight, value)


def anti_copy(hinge: Hinge, *, published: bool) -> Term:
    """Closer to the target than to each frame, as a mean; as run, to the frames as they were corrupted."""

    def value(step: Step) -> Tensor:
        frames = step.read if published else step.context
        return anti_copy_hinges(step.prediction, step.target, frames, hinge.margin)

    return Term("anti_copy", hinge.weight, value)


def future(hinge: Hinge) -> Term:
    """Closer to the target than to the two chunks after it; the original body was empty.

    Source: docs/sources.md, "Loss terms".
    """

    def value(step: Step) -> Tensor:
        return future_margin(step.prediction, step.target, step.future, step.future_exists, hinge.margin)

    return Term("future", hinge.weight, value)
