"""Scores that order training windows into stages, and what each score really selects.

"Forward-distinctness" has three definitions of opposite effect in the original documents and code, and none of them
looks forward: two are the similarity to the last frame with either sign, and the third compares that frame's two
neighbours. The functions here compute each as it was defined, so that a table can show which windows it puts first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.estimate import Estimate, cluster_mean
from lvm_gates.harness.base.vectors import slices
from lvm_gates.harness.corpus.windows import Windows

BATCH = 2048
STAGES: dict[str, float] = {"a": 0.3, "b": 0.7, "c": 1.0}


class Similarities(NamedTuple):
    """What every score is made of."""

    to_target: Float[np.ndarray, "n c"]
    """Cosine of the target to each context frame, oldest first."""
    coherence: Float[np.ndarray, " n"]
    """Mean cosine of adjacent context frames."""
    last_two: Float[np.ndarray, " n"]
    """Cosine of the last two context frames."""


class Definition(NamedTuple):
    """One score: the windows with the largest value come first."""

    score: Callable[[Similarities], Float[np.ndarray, " n"]]
    meaning: str


DEFINITIONS: dict[str, Definition] = {
    "as-run": Definition(lambda s: 1.0 - s.to_target[:, -1], "1 - cos(y, c_last): P5 as it was run"),
    "plan": Definition(
        lambda s: s.to_target[:, -1] - s.last_two, "cos(c_last, y) - cos(c_last, c_prev): the plan, never computed"
    ),
    "corrected": Definition(lambda s: s.to_target[:, -1], "cos(y, c_last): after the fix, the opposite of as-run"),
    "advantage": Definition(
        lambda s: s.to_target[:, -1] - s.to_target[:, :-1].max(axis=1),
        "cos(y, c_last) - largest cosine of y to an older frame",
    ),
}


def similarities(windows: Windows) -> Similarities:
    """The cosines of every window, a batch in memory at a time.

    Raises:
        UserError: a context of one frame, which has no frame before the last.
    """
    if windows.context < 2:
        raise UserError(
            f"--context {windows.context}: the scores compare the last frame with the one before; give at least 2."
        )
    n = len(windows)
    found = Similarities(np.empty((n, windows.context)), np.empty(n), np.empty(n))
    for part in slices(n, BATCH):
        batch = windows.take(part)
        contexts, targets = batch.contexts(), batch.target_vectors()
        found.to_target[part] = np.einsum("ncd,nd->nc", contexts, targets, dtype=np.float64)
        adjacent = np.einsum("ncd,ncd->nc", contexts[:, 1:], contexts[:, :-1], dtype=np.float64)
        found.coherence[part], found.last_two[part] = adjacent.mean(axis=1), adjacent[:, -1]
    return found


def ranking(name: str, found: Similarities) -> Int[np.ndarray, " n"]:
    """Windows from the largest score to the smallest.

    Ties go to the larger cos(y, c_last) - cos(y, c_prev), the documented tie-breaker, then to the earlier window.
    """
    tie_breaker = found.to_target[:, -1] - found.to_target[:, -2]
    return np.lexsort((-tie_breaker, -DEFINITIONS[name].score(found)))


def stage(order: Int[np.ndarray, " n"], share: float) -> Int[np.ndarray, " m"]:
    """The first ``share`` of a ranking, rounded up, in window order; a smaller share is part of a larger one."""
    return np.sort(order[: int(np.ceil(round(share * len(order), 6)))])


class Selected(NamedTuple):
    """What a stage holds: means over its windows, clustered by article."""

    to_last: Estimate
    to_previous: Estimate
    coherence: Estimate


def selected(found: Similarities, clusters: Int[np.ndarray, " n"], index: Int[np.ndarray, " m"]) -> Selected:
    """Describe the windows that a stage selects."""
    of = clusters[index]
    return Selected(
        cluster_mean(found.to_target[index, -1], of),
        cluster_mean(found.to_target[index, -2], of),
        cluster_mean(found.coherence[index], of),
    )
