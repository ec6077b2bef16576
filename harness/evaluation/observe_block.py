"""Predictors asked over some windows of a split, side by side; everything is computed with numpy."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.vectors import cosines, dots
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.block import Block
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observed import Measured, Observed
from lvm_gates.harness.evaluation.perturbations import ablate, ablation_names
from lvm_gates.harness.predictors.predictor import NamedPredictor, answers, ask


def observe_block(
    predictors: Sequence[NamedPredictor],
    evaluation: EvaluationSet,
    windows: Windows,
    wanted: slice | Int[np.ndarray, " k"],
    batch_size: int,
    ablations: bool,
) -> list[Observed]:
    """What each predictor does on some windows, and its predictions for those that are wanted.

    Args:
        predictors: none knows of the others.
        evaluation: the split.
        windows: few enough for their contexts to be held.
        wanted: of the windows.
        batch_size: contexts given to ``predict`` at once.
        ablations: whether spoiled contexts are asked for.
    """
    block = Block(windows, evaluation)
    bases = [ask(named, block.contexts, windows.targets, batch_size) for named in predictors]
    spoiled = _spoiled(predictors, block, batch_size) if ablations else [None] * len(predictors)
    ranks = block.ranking.ranks_together(bases)
    found = []
    for named, base, ablated, ranked in zip(predictors, bases, spoiled, ranks, strict=True):
        offset, nearest = block.near(base)
        measured = Measured(
            cosines(base, block.targets),
            block.coherence,
            nearest,
            block.nearest_reference,
            offset,
            ablated,
            rollout(named, base, block, batch_size),
        )
        found.append(
            Observed(base[wanted], measured.values(ranked, block.around, len(ablation_names(windows.context))))
        )
    return found


def _spoiled(predictors: Sequence[NamedPredictor], block: Block, batch_size: int) -> Float[np.ndarray, "p b ablations"]:
    """cos(prediction, target) of each predictor under each ablation."""
    windows, evaluation = block.windows, block.evaluation
    names = ablation_names(windows.context)
    found = np.empty((len(predictors), len(windows), len(names)))
    for column, name in enumerate(names):
        spoiled = ablate(name, block.contexts, windows, evaluation.rows, evaluation.seed)
        for own, named in zip(found, predictors, strict=True):
            own[:, column] = cosines(answers(named, spoiled, windows.targets, batch_size), block.targets)
    return found


def rollout(
    named: NamedPredictor, base: Float[np.ndarray, "b d"], block: Block, batch_size: int
) -> Float[np.ndarray, "b horizon"]:
    """Closed loop: each prediction becomes the newest frame. Prediction h answers for the chunk at offset +h.

    Args:
        named: who is asked.
        base: its predictions for the contexts as they are, unit vectors.
        block: the windows.
        batch_size: contexts given to ``predict`` at once.

    Returns:
        cos(prediction h, chunk at offset +h), h = 1..H; NaN where the article ends before.
    """
    kept, context = block.around.looped, block.contexts.shape[1]
    found = np.full((len(block), block.evaluation.horizon), np.nan)
    prediction, frames = base[kept], block.loop_frames
    for step, truth in enumerate(block.looped_ahead):
        if step:
            frames[:, context + step - 1] = prediction
            rows = block.windows.targets[kept] + step
            prediction = ask(named, frames[:, step : context + step], rows, batch_size)
        found[kept, step] = dots(prediction, truth)
    return found
