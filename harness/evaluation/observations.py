"""What one predictor did on one split: one row a window, nothing averaged yet."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.evaluation.collapse import Spread


@dataclass(frozen=True)
class Observations:
    """Per-window values of one (predictor, split); every statistic is a function of these.

    Attributes:
        rows: corpus row of each target.
        clusters: article of each window.
        cosine: cos(prediction, target).
        coherence: mean adjacent cosine inside the context.
        nearest_context: largest cosine of the prediction to a context frame.
        nearest_reference: the same of the target.
        offset: cos(prediction, chunk at offset k), k = -3..+3.
        offset_exists: whether all seven chunks exist.
        rank: rank of the target in candidate sets `article`, `novel`, `global`.
        pool_size: candidates in those sets, target included.
        index_sample: of windows whose target was also ranked exactly beside an approximate index: the share of the
            nearest chunks that the index finds, and the exact rank; NaN elsewhere.
        ablation: change of `cosine` under each of `harness.evaluation.perturbations.ablation_names`; NaN where not
            measured.
        cross_exists: whether another article was there to take a frame from.
        rollout: cos(prediction h, chunk at offset +h), h = 1..H.
        rollout_exists: whether all H chunks exist.
        finite: whether every prediction that was asked for has a direction: of the context, of each spoiled one, and
            at each step of a rollout whose chunks exist.
        spread: effective ranks and variance of the predictions.
        target_spread: the same of the targets.
        rank_without: effective ranks without each group of articles; NaN where not measured.
    """

    rows: Int[np.ndarray, " n"]
    clusters: Int[np.ndarray, " n"]
    cosine: Float[np.ndarray, " n"]
    coherence: Float[np.ndarray, " n"]
    nearest_context: Float[np.ndarray, " n"]
    nearest_reference: Float[np.ndarray, " n"]
    offset: Float[np.ndarray, "n 7"]
    offset_exists: Bool[np.ndarray, " n"]
    rank: Float[np.ndarray, "n pools"]
    pool_size: Int[np.ndarray, "n pools"]
    index_sample: Float[np.ndarray, "n 2"]
    ablation: Float[np.ndarray, "n ablations"]
    cross_exists: Bool[np.ndarray, " n"]
    rollout: Float[np.ndarray, "n horizon"]
    rollout_exists: Bool[np.ndarray, " n"]
    finite: Bool[np.ndarray, " n"]
    spread: Spread
    target_spread: Spread
    rank_without: Float[np.ndarray, "groups 3"]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def context(self) -> int:
        """C, recovered from the number of ablations."""
        return int(self.ablation.shape[1]) - 4

    def take(self, index: Int[np.ndarray, " m"]) -> "Observations":
        """The same observations of fewer windows; what was measured on all predictions together stays."""
        whole = ("spread", "target_spread", "rank_without")
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self) if f.name not in whole})

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field as an array, for an NPZ."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    def save(self, path: Path) -> None:
        """Write atomically; another process may be waiting to read."""
        with atomic_write(path) as stream:
            np.savez(stream, allow_pickle=False, **self.arrays())

    @classmethod
    def load(cls, path: Path) -> "Observations":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            values: dict[str, Any] = {f.name: stored[f.name] for f in fields(cls)}
        for name in ("spread", "target_spread"):
            rank, centred, variance, n = values[name].tolist()
            values[name] = Spread(rank, centred, variance, int(n))
        return cls(**values)
