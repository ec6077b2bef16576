"""What models and controls of a session are compared with: the rivals, scored once for each split."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lvm_gates.harness.controls import Ingredients
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.evaluation.observe import observe_rollout
from lvm_gates.harness.evaluation.resolve_model import CONTROL
from lvm_gates.harness.evaluation.session_data import Inputs, training_windows
from lvm_gates.harness.judging.findings import Findings
from lvm_gates.harness.judging.observing import Observing
from lvm_gates.harness.judging.settings import Settings
from lvm_gates.harness.judging.shared_work import Piece, do, load_array, save_array
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.rivals import Basis, RivalScores, blend_of, cached_fitted_weights, score_all
from lvm_gates.harness.statistics.skill import SkillInputs


class RivalInputs:
    """What each predictor is compared with, on demand; scores of rivals are kept in ``folder``.

    Args:
        settings: of the run.
        inputs: what is judged on.
        ingredients: what rivals are fitted on, by split.
        observing: asks ridge, what echo and collapse are measured against.
        findings: which windows are left out.
        folder: shared by all processes of the session.
    """

    def __init__(
        self,
        settings: Settings,
        inputs: Inputs,
        ingredients: Mapping[SplitName, Ingredients],
        observing: Observing,
        findings: Findings,
        folder: Path,
    ) -> None:
        self._settings, self._inputs, self._ingredients = settings, inputs, ingredients
        self._observing, self._findings, self._folder = observing, findings, folder

    def of_model(self, named: NamedPredictor) -> dict[str, SkillInputs]:
        """What a model is compared with, by what it says that it was trained on."""
        return self.without_domain if self.has_met_their_text(named) else self.with_domain

    def has_met_their_text(self, named: NamedPredictor) -> bool:
        """Whether a model says that it was trained on a corpus which ridge and climatology are fitted on here."""
        recorded = ((named.identity.provenance or {}).get("corpus") or {}).get("fingerprint")
        return recorded in {part.corpus.fingerprint for part in training_windows(self._inputs)}

    @cached_property
    def with_domain(self) -> dict[str, SkillInputs]:
        """Of models that may have met the judged domain, for all that is known: the rivals have met it as well."""
        return {
            split: SkillInputs(
                self._scores(split),
                self._observing.observations(f"{CONTROL}linear", split),
                self._findings.near_duplicates_of(split),
                self._findings.left_out[split],
                partial(self._rollout, split),
            )
            for split in JUDGED
        }

    @cached_property
    def without_domain(self) -> dict[str, SkillInputs]:
        """Of controls, and of models that learnt from what the rivals did: no rival knows the judged domain's mean."""
        return {split: inputs.without_domain() for split, inputs in self.with_domain.items()}

    @cached_property
    def of_controls(self) -> dict[str, SkillInputs]:
        """Of controls that are held to their expectations.

        Closed loops of rivals, which cost a network's worth of ridge each, only where the profile judges by them.
        """
        if "rollout" in self._settings.profile.gates:
            return self.without_domain
        return {split: replace(inputs, rollout_of=None) for split, inputs in self.without_domain.items()}

    def scoring(self, split: SplitName) -> Piece:
        """The work of scoring all rivals on a split."""

        def make(file: Path) -> None:
            ingredients, basis = self._ingredients[split], self.basis(split)
            fitted = cached_fitted_weights(
                ingredients.training, ingredients.seed, ingredients.linear_fit.held_out, basis.climatology
            )
            score_all(self._inputs.evaluation[split], fitted, basis).save(file)

        return Piece(f"rivals on {split}", self._folder / f"rivals-{split}.npz", make)

    def basis(self, split: SplitName) -> Basis:
        """What rivals of a split are mixed from, besides the frames of a context."""
        ingredients = self._ingredients[split]
        return Basis(ingredients.climatology.vector, ingredients.linear)

    def _scores(self, split: SplitName) -> RivalScores:
        piece = self.scoring(split)
        do(piece)
        return RivalScores.load(piece.file)

    def _rollout(self, split: SplitName, name: str) -> Float[np.ndarray, "n horizon"]:
        """The closed loop of one rival; only those that some model is compared with are ever rolled out."""
        scores = self.with_domain[split].rivals
        index = scores.names.index(name)
        file = self._folder / f"rollout-{split}-{index}.npy"

        def make(file: Path) -> None:
            evaluation = self._inputs.evaluation[split]
            named = NamedPredictor(
                Identity(name), blend_of(name, scores, self.basis(split), evaluation), only_reads=True
            )
            save_array(file, observe_rollout(named, evaluation, batch_size=self._settings.batch_size))

        do(Piece(f"rollout of {name} on {split}", file, make))
        return load_array(file)
