"""The one evaluation pass over a split: base, ablated and rolled-out predictions, shared by all gates.

The original battery predicted every window anew for each of its five tests, one window at a time.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from lvm_gates.harness.base.scratch import scratch_array
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.bank import Bank, BankRanks
from lvm_gates.harness.evaluation.block import Block
from lvm_gates.harness.evaluation.candidates import POOLS
from lvm_gates.harness.evaluation.collapse import RANK_GROUPS, evenly_spaced, groups_of, ranks_without, spread
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.faiss_bank import SearchedBank
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.observe_block import observe_block, rollout
from lvm_gates.harness.evaluation.observed import Observed
from lvm_gates.harness.predictors.predictor import (
    PROBED_AGAIN,
    NamedPredictor,
    accelerator_of,
    ask,
    check_batch_invariance,
)

# Windows, those of them whose predictions are wanted, the batch size, whether spoiled contexts are asked for.
_Look = Callable[[Windows, slice | Int[np.ndarray, " k"], int, bool], list[Observed]]

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
    windows, bank = evaluation.windows, evaluation.asked_bank
    wanted = bank is not None or predictions is not None
    kept = [room_for_predictions(evaluation) for _ in predictors] if wanted else []
    own = observe_share(
        predictors,
        evaluation,
        slice(0, len(windows)),
        batch_size=batch_size,
        on_progress=on_progress,
        ablations=ablations,
        predictions=kept,
    )
    found = [
        joined([part], evaluation, rank_interval=named.name in rank_intervals)
        for part, named in zip(own, predictors, strict=True)
    ]
    if predictions is not None:
        predictions.extend(kept)
    return found if bank is None else ranked_in(bank, bank.ranks(kept, windows), kept, found, windows)


def share_of(evaluation: EvaluationSet, batch_size: int, rank: int, world: int) -> slice:
    """Which windows one of several processes observes: whole batches, so that every batch is that of one process.

    A network answers a window with other last digits beside other windows. Where there are more processes than batches
    some get none.
    """
    size = _in_hand(batch_size)
    batches = -(-len(evaluation.windows) // size)
    begin, end = (min(batches * r // world * size, len(evaluation.windows)) for r in (rank, rank + 1))
    return slice(begin, end)


def observe_share(
    predictors: Sequence[NamedPredictor],
    evaluation: EvaluationSet,
    share: slice,
    *,
    batch_size: int,
    on_progress: Callable[[int, int], None] = ignore_progress,
    ablations: bool = True,
    predictions: Sequence[Float[np.ndarray, "n d"]] = (),
) -> list[Observed]:
    """What predictors do on consecutive windows of ``evaluation``; see `observe_together`.

    Args:
        predictors: as there.
        evaluation: as there.
        share: of the windows, beginning with a batch.
        batch_size: as there.
        on_progress: as there.
        ablations: as there.
        predictions: of each predictor, of all windows; those of these windows are written, or none where it is empty.
    """
    windows = evaluation.windows.take(share)
    look = _look(predictors, evaluation)
    parts: list[list[Observed]] = [[] for _ in predictors]
    looked_at, done = evenly_spaced(len(evaluation.windows)), 0
    for batch in windows.batches(_in_hand(batch_size)):
        here = slice(share.start + done, share.start + done + len(batch))
        mine = looked_at[(looked_at >= here.start) & (looked_at < here.stop)] - here.start
        whole = bool(predictions) or not done  # some of the first are asked again
        observed = look(batch, slice(None) if whole else mine, batch_size, ablations)
        for number, (own, named, part) in enumerate(zip(parts, predictors, observed, strict=True)):
            if not done:
                few = batch.take(slice(0, PROBED_AGAIN))
                contexts = evaluation.vectors(few.context_rows)
                check_batch_invariance(named, contexts, few.targets, batch_size, part.predictions[:PROBED_AGAIN])
            if predictions:
                predictions[number][here] = part.predictions
            own.append(part._replace(predictions=part.predictions[mine]) if whole else part)
        done += len(batch)
        on_progress(done, len(windows))
    return [_concatenated(own) for own in parts]


def _look(predictors: Sequence[NamedPredictor], evaluation: EvaluationSet) -> _Look:
    """How predictors are asked over some windows: on the accelerator that all of them are on, else here."""
    device = accelerator_of(predictors)
    if device is None:
        return partial(observe_block, predictors, evaluation)
    from lvm_gates.harness.evaluation.block_on_device import SplitOnDevice

    return partial(SplitOnDevice(evaluation, device).observe, predictors)


def room_for_predictions(evaluation: EvaluationSet) -> Float[np.ndarray, "n d"]:
    """For the predictions of one predictor, on the disk of temporary files: few ask for all of them."""
    shape = len(evaluation.windows), evaluation.corpus.dim
    return scratch_array(Path(tempfile.gettempdir()) / "predictions", shape, "float64")


def ranked_in(
    bank: Bank | SearchedBank,
    ranks: Sequence[BankRanks],
    predictions: Sequence[Float[np.ndarray, "n d"]],
    found: Sequence[Observations],
    windows: Windows,
) -> list[Observations]:
    """Observations with the ranks of their predictors in set `global`."""
    column = POOLS.index("global")
    for observed, (rank, size) in zip(found, ranks, strict=True):
        observed.rank[:, column], observed.pool_size[:, column] = rank, size
    if isinstance(bank, SearchedBank):
        for observed, sample in zip(found, bank.compared(predictions, windows), strict=True):
            observed.index_sample[:] = sample
    return list(found)


def _in_hand(batch_size: int) -> int:
    """Whole batches, so that `ask` cuts none short."""
    return batch_size * max(1, CHUNK // batch_size)


def _concatenated(parts: Sequence[Observed]) -> Observed:
    some = [part for part in parts if part.values]
    if not some:
        return Observed(np.empty((0, 0)), {})
    columns = {name: np.concatenate([p.values[name] for p in some]) for name in some[0].values}
    return Observed(np.concatenate([p.predictions for p in some]), columns)


def joined(parts: Sequence[Observed], evaluation: EvaluationSet, *, rank_interval: bool) -> Observations:
    """Observations of all windows.

    Args:
        parts: that follow one another and make up all windows of ``evaluation``.
        evaluation: the split.
        rank_interval: whether the ratio of effective ranks to another predictor's is wanted with an interval.
    """
    windows = evaluation.windows
    predictions, columns = _concatenated(parts)
    looked_at = evenly_spaced(len(windows))
    return Observations(
        rows=windows.targets,
        clusters=windows.clusters,
        cross_exists=evaluation.has_donor,
        index_sample=np.full((len(windows), 2), np.nan),
        spread=spread(predictions),
        target_spread=evaluation.target_spread,
        rank_without=ranks_without(predictions, groups_of(windows.clusters)[looked_at])
        if rank_interval
        else np.full((RANK_GROUPS, 3), np.nan),
        **columns,
    )


def observe_rollout(
    named: NamedPredictor, evaluation: EvaluationSet, *, batch_size: int
) -> Float[np.ndarray, "n horizon"]:
    """The closed loop alone: cos(prediction h, chunk at offset +h), h = 1..H, NaN where the article ends before."""
    parts = []
    for batch in evaluation.windows.batches(_in_hand(batch_size)):
        block = Block(batch, evaluation)
        parts.append(rollout(named, ask(named, block.contexts, batch.targets, batch_size), block, batch_size))
    return np.concatenate(parts)
