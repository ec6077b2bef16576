"""Some windows of a split on an accelerator: asked, spoiled, rolled out and ranked there; what returns is numbers.

The same as `lvm_gates.harness.evaluation.observe_block` for predictors that answer tensors. Chunks go up once a block,
and with them every row number that is needed, before anything is asked; nothing is read back before all of it is done.
Frames are float32, as everywhere, and everything that is made of predictions is float64.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from lvm_gates.harness.base.vectors import slices, unit
from lvm_gates.harness.corpus.corpus import SCAN_ROWS
from lvm_gates.harness.corpus.windows import Windows
from lvm_gates.harness.evaluation.block import Surroundings
from lvm_gates.harness.evaluation.candidates import POOLS, Question, Ranks, questions
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observed import Measured, Observed
from lvm_gates.harness.evaluation.perturbations import ablation_names, donor_rows, spoiled_places
from lvm_gates.harness.evaluation.ranks import Ahead
from lvm_gates.harness.evaluation.ranks_on_device import count_ahead, units, uploaded
from lvm_gates.harness.predictors.predictor import NamedPredictor
from lvm_gates.harness.predictors.tensors import tensor_answers


class SplitOnDevice:
    """What all blocks of a split share.

    Args:
        evaluation: the split.
        device: an accelerator with float64.
    """

    def __init__(self, evaluation: EvaluationSet, device: torch.device) -> None:
        self.evaluation, self.device = evaluation, device
        self.bank = None if evaluation.asked_bank is not None else uploaded(evaluation.bank.vectors, device)

    def observe(
        self,
        predictors: Sequence[NamedPredictor],
        windows: Windows,
        wanted: slice | Int[np.ndarray, " k"],
        batch_size: int,
        ablations: bool,
    ) -> list[Observed]:
        """What `observe_block` finds, by predictors that answer tensors on this device."""
        with torch.inference_mode():
            block = BlockOnDevice(self, windows, ablations)
            return [block.observed(named, wanted, batch_size) for named in predictors]


class _Ranked(NamedTuple):
    """A `Question` on the device."""

    windows: Int[Tensor, " b"]
    candidates: Float[Tensor, "m d"]
    counts: list[Bool[Tensor, "b m"]]
    """For each set which candidates count."""


class BlockOnDevice:
    """Windows, and everything that predictors on the device are asked about them.

    Args:
        split: that they are of.
        windows: some.
        ablations: whether spoiled contexts are asked for.
    """

    def __init__(self, split: SplitOnDevice, windows: Windows, ablations: bool) -> None:
        evaluation, self._device, self._horizon = split.evaluation, split.device, split.evaluation.horizon
        self._around = Surroundings.of(windows, evaluation.horizon)
        self._questions, self._names = questions(windows, evaluation), ablation_names(windows.context)
        shown, spoiled = self._around.context, []
        if ablations:
            frames = np.column_stack([shown, donor_rows(windows, evaluation.rows, evaluation.seed)])
            places = (spoiled_places(name, windows, evaluation.seed) for name in self._names)
            spoiled = [np.take_along_axis(frames, place, axis=1) for place in places]
        asked = [shown, *spoiled, self._around.offsets, self._around.ahead]
        own = [q.candidates.rows for q in self._questions if q.candidates is not evaluation.bank]
        rows = np.unique(np.concatenate([one.ravel() for one in (*asked, *own)]))
        self._chunks = uploaded(evaluation.vectors(rows), self._device)
        there = [uploaded(np.searchsorted(rows, one), self._device) for one in asked]
        self._frames, *self._spoiled, self._offsets, self._ahead = there
        self._looped = uploaded(self._around.looped, self._device)
        self._ranked = [self._uploaded(question, rows, split) for question in self._questions]

    def observed(self, named: NamedPredictor, wanted: slice | Int[np.ndarray, " k"], batch_size: int) -> Observed:
        """What one predictor does; see `SplitOnDevice.observe`."""
        predictions, columns = self.measured(named, batch_size)
        table = torch.cat([column.double().flatten(1) for column in columns], dim=1).cpu().numpy()
        ends = np.cumsum([column[0].numel() for column in columns])[:-1]
        cosine, coherence, nearest, reference, offset, spoiled, rollout, counts = np.split(table, ends, axis=1)
        measured = Measured(
            *(cosine[:, 0], coherence[:, 0], nearest[:, 0], reference[:, 0]),
            *(offset, spoiled if self._spoiled else None, rollout),
        )
        ranks = self._ranks(counts.astype(np.int64).reshape(-1, len(POOLS), 2), measured.cosine)
        values = measured.values(ranks, self._around, len(self._names))
        return Observed(unit(predictions[wanted].cpu().numpy()), values)

    def measured(
        self, named: NamedPredictor, batch_size: int
    ) -> tuple[Float[Tensor, "b d"], list[Shaped[Tensor, "b ..."]]]:
        """Predictions as they come, and the fields of `Measured` with what is ahead of the targets; nothing returns."""
        predictions = tensor_answers(named, self._chunks[self._frames], batch_size)
        base, targets = units(predictions), self._units(self._ahead[:, 0])
        frames, offsets = self._units(self._frames), self._units(self._offsets)
        cosine = (base * targets).sum(1)
        spoiled = [
            (units(tensor_answers(named, self._chunks[places], batch_size)) * targets).sum(1)
            for places in self._spoiled
        ]
        return predictions, [
            cosine[:, None],
            (frames[:, :-1] * frames[:, 1:]).sum(2).mean(1, keepdim=True),
            _products(base, frames).amax(1, keepdim=True),
            _products(targets, frames).amax(1, keepdim=True),
            _products(base, offsets),
            torch.stack(spoiled, dim=1) if spoiled else cosine[:, None][:, :0],
            self._rollout(named, base, batch_size),
            self._counts(base, cosine),
        ]

    def _units(self, places: Int[Tensor, "*b"]) -> Float[Tensor, "*b d"]:
        return units(self._chunks[places])

    def _rollout(
        self, named: NamedPredictor, base: Float[Tensor, "b d"], batch_size: int
    ) -> Float[Tensor, "b horizon"]:
        """See `lvm_gates.harness.evaluation.observe_block.rollout`."""
        prediction, frames = base[self._looped], self._chunks[self._frames[self._looped]]
        found = torch.full((len(base), self._horizon), torch.nan, dtype=base.dtype, device=self._device)
        for step in range(self._horizon):
            if step:
                frames = torch.cat([frames[:, 1:], prediction[:, None].float()], dim=1)
                # Cloned, since a predictor may spoil what it is given.
                prediction = units(tensor_answers(named, frames.clone(), batch_size))
            truth = self._units(self._ahead[self._looped, step])
            found[self._looped, step] = (prediction * truth).sum(1)
        return found

    def _counts(self, base: Float[Tensor, "b d"], cosine: Float[Tensor, " b"]) -> Int[Tensor, "b pools 2"]:
        """How many candidates of each set are ahead of the target, and tie with it."""
        found = torch.zeros(len(base), len(POOLS), 2, dtype=torch.int64, device=self._device)
        for question, ranked in zip(self._questions, self._ranked, strict=True):
            some, sets = ranked.windows, range(*question.columns.indices(len(POOLS)))
            for part in slices(len(ranked.candidates), SCAN_ROWS):
                gap = base[some] @ units(ranked.candidates[part]).T - cosine[some, None]
                for column, counts in zip(sets, ranked.counts, strict=True):
                    found[some, column] += count_ahead(gap, counts[:, part])
        return found

    def _ranks(self, counts: Int[np.ndarray, "b pools 2"], cosine: Float[np.ndarray, " b"]) -> Ranks:
        ranks = Ranks.nothing(len(cosine))
        for question in self._questions:
            above, tied = counts[question.windows, question.columns].transpose(2, 1, 0)
            nested = [Ahead(*one, np.zeros_like(one[0])) for one in zip(above, tied, strict=True)]
            ranks.put(question, nested, cosine[question.windows])
        return ranks

    def _uploaded(self, question: Question, rows: Int[np.ndarray, " m"], split: SplitOnDevice) -> _Ranked:
        candidates = question.candidates
        if split.bank is not None and candidates is split.evaluation.bank:
            vectors = split.bank
        else:
            vectors = self._chunks[uploaded(np.searchsorted(rows, candidates.rows), self._device)]
        shape = len(question.windows), len(vectors)
        if question.own is None:
            left = torch.ones(shape, dtype=torch.bool, device=self._device)
        else:
            first, end = (uploaded(bound, self._device)[:, None] for bound in question.own)
            position = torch.arange(shape[1], device=self._device)
            left = (position >= first) & (position < end)
        counts = []
        for barred in question.barred:
            left = left.clone()
            left[tuple(uploaded(one, self._device) for one in barred)] = False
            counts.append(left)
        return _Ranked(uploaded(question.windows, self._device), vectors, counts)


def _products(vectors: Float[Tensor, "b d"], others: Float[Tensor, "b k d"]) -> Float[Tensor, "b k"]:
    return (others @ vectors[:, :, None])[:, :, 0]
