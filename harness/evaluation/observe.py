"""The one evaluation pass over a split: base, ablated and rolled-out predictions, shared by all gates.

The original battery predicted every window anew for each of its five tests, one window at a time.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lvm_gates.harness.base.vectors import cosines, dots
from lvm_gates.harness.evaluation.block import Block
from lvm_gates.harness.evaluation.collapse import RANK_GROUPS, ranks_without, spread
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.perturbations import ablate, ablation_names
from lvm_gates.harness.predictors.predictor import (
    PROBED_AGAIN,
    NamedPredictor,
    answers,
    ask,
    check_batch_invariance,
)

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
    predictions: list[Float[np.ndarray, "n d"]] | None = None,
) -> Observations:
    """Run one predictor over the windows of ``evaluation``; see `observe_together`."""
    wanted = (named.name,) if rank_interval else ()
    (found,) = observe_together(
        [named],
        evaluation,
        batch_size=batch_size,
        on_progress=on_progress,
        ablations=ablations,
        rank_intervals=wanted,
        predictions=predictions,
    )
    return found


def observe_together(
    predictors: Sequence[NamedPredictor],
    evaluation: EvaluationSet,
    *,
    batch_size: int,
    on_progress: Callable[[int, int], None] = ignore_progress,
    ablations: bool = True,
    rank_intervals: Sequence[str] = (),
    predictions: list[Float[np.ndarray, "n d"]] | None = None,
) -> list[Observations]:
    """Run predictors over the windows of ``evaluation``, side by side: what they are compared with is gathered once.

    Args:
        predictors: models or controls; none knows of the others.
        evaluation: windows and candidates.
        batch_size: contexts given to ``predict`` at once; results do not depend on it.
        on_progress: called with (windows done, windows in all).
        ablations: False leaves out the spoiled contexts, nine of fourteen forward passes at C = 5 and H = 5; their
            column is then NaN.
        rank_intervals: names of those whose ratio of effective ranks to another's will be wanted with an interval.
        predictions: where to leave the predictions of each.

    Raises:
        UserError: a wrong shape, or predictions that change with the batch size.
    """
    windows = evaluation.windows
    parts: list[list[_Part]] = [[] for _ in predictors]
    for batch in windows.batches(_in_hand(batch_size)):
        block = Block(batch, evaluation)
        for own, named, part in zip(
            parts, predictors, _observe_block(predictors, block, batch_size, ablations), strict=True
        ):
            if not own:
                few = slice(0, PROBED_AGAIN)
                check_batch_invariance(
                    named, block.contexts[few], batch.targets[few], batch_size, part.predictions[few]
                )
            own.append(part)
        on_progress(sum(len(part.predictions) for part in parts[0]), len(windows))
    if predictions is not None:
        predictions.extend(np.concatenate([part.predictions for part in own]) for own in parts)
    return [
        _joined(own, evaluation, named.name in rank_intervals) for own, named in zip(parts, predictors, strict=True)
    ]


def _in_hand(batch_size: int) -> int:
    """Whole batches, so that `ask` cuts none short."""
    return batch_size * max(1, CHUNK // batch_size)


class _Part(NamedTuple):
    predictions: Float[np.ndarray, "b d"]
    values: dict[str, np.ndarray]


def _joined(parts: Sequence[_Part], evaluation: EvaluationSet, rank_interval: bool) -> Observations:
    windows = evaluation.windows
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


def _observe_block(predictors: Sequence[NamedPredictor], block: Block, batch_size: int, ablations: bool) -> list[_Part]:
    bases = [ask(named, block.contexts, block.windows.targets, batch_size) for named in predictors]
    cosine = [cosines(base, block.targets) for base in bases]
    shape = (len(predictors), len(block), len(ablation_names(block.windows.context)))
    ablation = _ablations(predictors, block, batch_size) if ablations else np.full(shape, np.nan)
    return [
        _part(
            base,
            own,
            spoiled - own[:, None],
            _rollout(named, base, block, batch_size),
            block,
            np.isfinite(own) & (np.isfinite(spoiled).all(axis=1) | (not ablations)),
        )
        for named, base, own, spoiled in zip(predictors, bases, cosine, ablation, strict=True)
    ]


def _part(
    base: Float[np.ndarray, "b d"],
    cosine: Float[np.ndarray, " b"],
    ablation: Float[np.ndarray, "b ablations"],
    rollout: Float[np.ndarray, "b horizon"],
    block: Block,
    finite: Bool[np.ndarray, " b"],
) -> _Part:
    ranks = block.ranking.ranks(base)
    offset, nearest = block.around(base)
    values = {
        "cosine": cosine,
        "coherence": block.coherence,
        "nearest_context": nearest,
        "nearest_reference": block.nearest_reference,
        "offset": offset,
        "offset_exists": block.offset_exists,
        "rank": ranks.rank,
        "pool_size": ranks.size,
        "ablation": ablation,
        "rollout": rollout,
        "rollout_exists": block.ahead_exists,
        "finite": finite & (np.isfinite(rollout).all(axis=1) | ~block.ahead_exists),
    }
    return _Part(base, values)


def _ablations(
    predictors: Sequence[NamedPredictor], block: Block, batch_size: int
) -> Float[np.ndarray, "p b ablations"]:
    """cos(prediction, target) of each predictor under each ablation."""
    windows, evaluation = block.windows, block.evaluation
    names = ablation_names(windows.context)
    found = np.empty((len(predictors), len(windows), len(names)))
    for column, name in enumerate(names):
        spoiled = ablate(name, block.contexts, windows, evaluation.rows, evaluation.seed)
        for own, named in zip(found, predictors, strict=True):
            own[:, column] = cosines(answers(named, spoiled, windows.targets, batch_size), block.targets)
    return found


def observe_rollout(
    named: NamedPredictor, evaluation: EvaluationSet, *, batch_size: int
) -> Float[np.ndarray, "n horizon"]:
    """The closed loop alone: cos(prediction h, chunk at offset +h), h = 1..H, NaN where the article ends before."""
    parts = []
    for batch in evaluation.windows.batches(_in_hand(batch_size)):
        block = Block(batch, evaluation)
        parts.append(_rollout(named, ask(named, block.contexts, batch.targets, batch_size), block, batch_size))
    return np.concatenate(parts)


def _rollout(
    named: NamedPredictor, base: Float[np.ndarray, "b d"], block: Block, batch_size: int
) -> Float[np.ndarray, "b horizon"]:
    """Closed loop: each prediction becomes the newest frame. Prediction h answers for the chunk at offset +h."""
    horizon, kept = block.evaluation.horizon, np.flatnonzero(block.ahead_exists)
    found = np.full((len(block), horizon), np.nan)
    prediction, context = base[kept], block.contexts[kept]
    for step in range(1, horizon + 1):
        if step > 1:
            context = np.concatenate([context[:, 1:], prediction[:, None].astype(np.float32)], axis=1)
            prediction = ask(named, context, block.windows.targets[kept] + step - 1, batch_size)
        found[kept, step - 1] = dots(prediction, block.ahead(step)[kept])
    return found
