"""The one evaluation pass of a predictor over a split: base, ablated and rolled-out predictions, shared by all gates.

The original battery predicted every window anew for each of its five tests, one window at a time.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.candidates import rank_targets
from lvm_gates.harness.evaluation.collapse import RANK_GROUPS, ranks_without, spread
from lvm_gates.harness.evaluation.evaluation_set import OFFSETS, EvaluationSet
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.perturbations import ablate, ablation_names
from lvm_gates.harness.predictors.predictor import PROBED_AGAIN, NamedPredictor, ask, check_batch_invariance

# Windows in hand at once at least, and at most a batch that is larger. With C = 5 and D = 768 this keeps contexts and
# seven offsets under 100 MB; it is no option because nothing may depend on it.
CHUNK = 256


def ignore_progress(done: int, total: int) -> None:
    """The progress callback of those who do not watch."""


def observe(
    named: NamedPredictor,
    evaluation: EvaluationSet,
    *,
    batch_size: int,
    on_progress: Callable[[int, int], None] = ignore_progress,
    ablations: bool = True,
    rank_interval: bool = False,
) -> Observations:
    """Run a predictor over the windows of ``evaluation``.

    Args:
        named: a model or a control.
        evaluation: windows and candidates.
        batch_size: contexts given to ``predict`` at once; results do not depend on it.
        on_progress: called with (windows done, windows in all).
        ablations: False leaves out the spoiled contexts, nine of fourteen forward passes at C = 5 and H = 5; their
            column is then NaN.
        rank_interval: whether the ratio of its effective ranks to another's will be wanted with an interval.

    Raises:
        UserError: a wrong shape, or predictions that change with the batch size.
    """
    windows = evaluation.windows
    parts: list[_Part] = []
    for batch in windows.batches(_in_hand(batch_size)):
        part = _observe_batch(named, batch, evaluation, batch_size, ablations)
        if not parts:
            few = batch.take(slice(0, PROBED_AGAIN))
            check_batch_invariance(named, few.contexts(), few.targets, batch_size, part.predictions[:PROBED_AGAIN])
        parts.append(part)
        on_progress(sum(len(p.values["cosine"]) for p in parts), len(windows))
    columns = {name: np.concatenate([p.values[name] for p in parts]) for name in parts[0].values}
    predictions = np.concatenate([p.predictions for p in parts])
    return Observations(
        rows=windows.targets,
        clusters=windows.clusters,
        cross_exists=evaluation.has_donor,
        spread=spread(predictions),
        target_spread=evaluation.target_spread,
        rank_without=ranks_without(predictions, windows.clusters)
        if rank_interval
        else np.full((RANK_GROUPS, 3), np.nan),
        **columns,
    )


def _in_hand(batch_size: int) -> int:
    """Whole batches, so that `ask` cuts none short."""
    return batch_size * max(1, CHUNK // batch_size)


class _Part(NamedTuple):
    predictions: Float[np.ndarray, "b d"]
    values: dict[str, np.ndarray]


def _observe_batch(
    named: NamedPredictor, windows: Windows, evaluation: EvaluationSet, batch_size: int, ablations: bool
) -> _Part:
    contexts = windows.contexts()
    frames, targets = unit(contexts), unit(windows.target_vectors())
    base = ask(named, contexts, windows.targets, batch_size)
    cosine = _cos(base, targets)
    offset, offset_exists = _offsets(base, windows)
    rollout, rollout_exists = _rollout(named, base, windows, evaluation.horizon, batch_size)
    ranks = rank_targets(base, windows, evaluation)
    finite = np.isfinite(cosine) & (np.isfinite(rollout).all(axis=1) | ~rollout_exists)
    ablation = np.full((len(windows), len(ablation_names(windows.context))), np.nan)
    if ablations:
        ablation = _ablations(named, contexts, targets, windows, evaluation, batch_size) - cosine[:, None]
        finite &= np.isfinite(ablation).all(axis=1)
    values = {
        "cosine": cosine,
        "coherence": np.einsum("bcd,bcd->bc", frames[:, :-1], frames[:, 1:]).mean(axis=1)
        if windows.context > 1
        else np.full(len(windows), np.nan),
        "nearest_context": np.einsum("bcd,bd->bc", frames, base).max(axis=1),
        "nearest_reference": np.einsum("bcd,bd->bc", frames, targets).max(axis=1),
        "offset": offset,
        "offset_exists": offset_exists,
        "rank": ranks.rank,
        "pool_size": ranks.size,
        "ablation": ablation,
        "rollout": rollout,
        "rollout_exists": rollout_exists,
        "finite": finite,
    }
    return _Part(base, values)


def _cos(a: Float[np.ndarray, "b d"], b: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
    return np.asarray(np.einsum("bd,bd->b", a, b))


def _ablations(
    named: NamedPredictor,
    contexts: Float[np.ndarray, "b c d"],
    targets: Float[np.ndarray, "b d"],
    windows: Windows,
    evaluation: EvaluationSet,
    batch_size: int,
) -> Float[np.ndarray, "b ablations"]:
    """cos(prediction, target) under each ablation."""
    cosines = []
    for name in ablation_names(windows.context):
        spoiled = ablate(name, contexts, windows, evaluation.rows, evaluation.seed)
        cosines.append(_cos(ask(named, spoiled, windows.targets, batch_size), targets))
    return np.stack(cosines, axis=1)


def _offsets(base: Float[np.ndarray, "b d"], windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    cosines, exists = [], np.ones(len(windows), dtype=bool)
    for k in OFFSETS:
        rows, there = windows.offset(k)
        cosines.append(_cos(base, unit(windows.corpus.vectors(rows))))
        exists &= there
    return np.stack(cosines, axis=1), exists


def observe_rollout(
    named: NamedPredictor, evaluation: EvaluationSet, *, batch_size: int
) -> Float[np.ndarray, "n horizon"]:
    """The closed loop alone: cos(prediction h, chunk at offset +h), h = 1..H, NaN where the article ends before."""
    parts = []
    for batch in evaluation.windows.batches(_in_hand(batch_size)):
        base = ask(named, batch.contexts(), batch.targets, batch_size)
        parts.append(_rollout(named, base, batch, evaluation.horizon, batch_size)[0])
    return np.concatenate(parts)


def _rollout(
    named: NamedPredictor,
    base: Float[np.ndarray, "b d"],
    windows: Windows,
    horizon: int,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Closed loop: each prediction becomes the newest frame. Prediction h answers for the chunk at offset +h."""
    exists = windows.offset(horizon)[1]
    cosines = np.full((len(windows), horizon), np.nan)
    kept = windows.take(np.flatnonzero(exists))
    prediction, context = base[exists], kept.contexts()
    for step in range(1, horizon + 1):
        if step > 1:
            context = np.concatenate([context[:, 1:], prediction[:, None].astype(np.float32)], axis=1)
            prediction = ask(named, context, kept.targets + step - 1, batch_size)
        rows, _ = kept.offset(step)
        cosines[exists, step - 1] = _cos(prediction, unit(windows.corpus.vectors(rows)))
    return cosines, exists
