"""What is found about the windows of a session by looking at the data: which of them no model is judged on.

Windows that are leaked, windows that a model says it was trained on, windows whose target is nearly a training chunk.
Each search is a piece of work that the processes of a session share.
"""

from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.corpus.near_duplicates import cached_near_duplicates
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.evaluation.recorded_leaks import recorded_leaks
from lvm_gates.harness.evaluation.session_data import Inputs, training_windows
from lvm_gates.harness.evaluation.split_leaks import Leaks
from lvm_gates.harness.judging.shared_work import Piece, as_file_name, do, load_array, save_array
from lvm_gates.harness.predictors.predictor import NamedPredictor


class Findings:
    """What is found about the windows of a run, on demand, and kept in ``folder``.

    Args:
        inputs: what is judged on.
        published: whether the original protocol is being reproduced, which leaves no window out.
        folder: shared by all processes of the session.
    """

    def __init__(self, inputs: Inputs, *, published: bool, folder: Path) -> None:
        self._inputs, self._published, self._folder = inputs, published, folder

    @cached_property
    def searching(self) -> Piece:
        """The search for leaked windows."""
        training = sum(len(part.corpus.rows_of(np.unique(part.clusters))) for part in training_windows(self._inputs))
        what = f"leaked windows among {training:,} training chunks"
        return Piece(what, self._folder / "leaks.npz", lambda file: self._inputs.leaks.save(file))

    @cached_property
    def leaks(self) -> Leaks:
        """Windows of VAL and OOD that stand in TRAIN or in each other."""
        do(self.searching)
        return Leaks.load(self.searching.file)

    @cached_property
    def left_out(self) -> dict[str, Bool[np.ndarray, " n"]]:
        """Which windows of each split no model or control is judged on, because they are leaked.

        None under the original protocol, which reproduces old tables and releases nothing.
        """
        if self._published:
            return {split: np.zeros(len(e.windows), dtype=bool) for split, e in self._inputs.evaluation.items()}
        return {split: self.leaks.left_out(split) for split in JUDGED}

    def comparing_targets(self, split: SplitName) -> Piece:
        """The search for near duplicates among training chunks."""

        def make(file: Path) -> None:
            save_array(
                file, cached_near_duplicates(self._inputs.evaluation[split].windows, training_windows(self._inputs))
            )

        return Piece(f"near duplicates on {split}", self._folder / f"near-duplicates-{split}.npy", make)

    def near_duplicates_of(self, split: SplitName) -> Bool[np.ndarray, " n"]:
        """Which windows of a split have a target that nearly equals a training chunk."""
        piece = self.comparing_targets(split)
        do(piece)
        return load_array(piece.file)

    def asking(self, named: NamedPredictor, split: SplitName) -> Piece:
        """The search for windows of a split in what a model says it was trained on."""

        def make(file: Path) -> None:
            save_array(file, recorded_leaks(named.trained_on, self._inputs.evaluation[split]))

        file = self._folder / f"{as_file_name(named.name)}-{split}-recorded.npy"
        return Piece(f"{split} in the training data of {named.name}", file, make)

    def recorded(self, named: NamedPredictor, split: SplitName) -> Bool[np.ndarray, " n"]:
        """Which windows of a split stand in what a model says it was trained on."""
        piece = self.asking(named, split)
        do(piece)
        return load_array(piece.file)

    def all_recorded(self, named: NamedPredictor) -> dict[SplitName, Bool[np.ndarray, " n"]]:
        """Split -> windows that stand in what a model says it was trained on; empty where it says nothing."""
        return {split: self.recorded(named, split) for split in JUDGED if named.trained_on is not None}

    def left_out_of(self, named: NamedPredictor) -> dict[str, Bool[np.ndarray, " n"]]:
        """`left_out` of one model: windows that it says it was trained on are left out too."""
        left_out = dict(self.left_out)
        for split, leaked in {} if self._published else self.all_recorded(named).items():
            left_out[split] = left_out[split] | leaked
        return left_out
