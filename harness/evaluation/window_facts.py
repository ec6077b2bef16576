"""What is known of the windows of a split before any model is asked: which of them have which metric."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lvm_gates.harness.evaluation.block import Block
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet

_AT_ONCE = 256


@dataclass(frozen=True)
class WindowFacts:
    """Of every window; the fields are those of `harness.evaluation.observations.Observations`."""

    offset_exists: Bool[np.ndarray, " n"]
    rollout_exists: Bool[np.ndarray, " n"]
    cross_exists: Bool[np.ndarray, " n"]
    coherence: Float[np.ndarray, " n"]


def window_facts(evaluation: EvaluationSet) -> WindowFacts:
    """Of the windows of a split."""
    parts = []
    for batch in evaluation.windows.batches(_AT_ONCE):
        block = Block(batch, evaluation)
        parts.append((block.around.offset_exists, block.around.ahead_exists, block.coherence))
    offset, rollout, coherence = (np.concatenate(column) for column in zip(*parts, strict=True))
    return WindowFacts(offset, rollout, evaluation.has_donor, coherence)
