"""What occurs twice within a split: chunks, and frames within a window."""

import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.audits.outcome import Audit, describing, listing
from lvm_gates.harness.base.estimate import Estimate, cluster_share
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.session_data import Inputs

# To copy the last frame is right where it equals the target. With cosines of .4 between neighbours, a repeat in this
# share of windows of five frames, at the target in a fifth of them, moves the cosine of persistence by .012, which is
# the width of its interval. Measured: 6 of 3,185 windows of Wikipedia, none of 9,554 of Brown and 9,933 of PEPs.
MAX_REPEATED = 0.1


def duplicate_chunks(inputs: Inputs) -> Audit:
    """Shares of chunks that equal another chunk of their split. They have no limit: a line may well occur twice."""
    metrics: dict[str, Estimate] = {}
    for split, evaluation in inputs.evaluation.items():
        repeated = np.bincount(evaluation.labels)[evaluation.labels] > 1
        clusters = inputs.corpus.article_of[evaluation.rows]
        metrics[f"within {split}"] = cluster_share(repeated.astype(np.float64), clusters)
    return describing("duplicate chunks", listing(metrics), metrics)


def repeated_frames(inputs: Inputs) -> Audit:
    """Share of windows in which a frame equals the one before: to copy the last frame is then right for no merit."""
    metrics: dict[str, Estimate] = {}
    counts, worst = [], 0.0
    for split, evaluation in inputs.evaluation.items():
        has_repeat = _has_repeat(evaluation)
        metrics[split] = cluster_share(has_repeat.astype(np.float64), evaluation.windows.clusters)
        counts.append(f"{has_repeat.sum()} of {len(has_repeat)} {split}")
        worst = max(worst, metrics[split].value)
    detail = f"windows with two equal adjacent frames: {', '.join(counts)}"
    if worst <= MAX_REPEATED:
        return Audit("repeated frames", "pass", detail, metrics)
    detail += f"; more than {MAX_REPEATED:.0%} makes copying the last frame right; drop the repeated chunks"
    return Audit("repeated frames", "fail", detail, metrics)


def _has_repeat(evaluation: EvaluationSet) -> Bool[np.ndarray, " n"]:
    windows = evaluation.windows
    frames = windows.targets[:, None] + np.arange(-windows.context, 1)
    labels = evaluation.labels[np.searchsorted(evaluation.rows, frames)]
    return np.asarray((labels[:, 1:] == labels[:, :-1]).any(axis=1))
