"""A gate run: every model and control over every split, each predicted once, whoever asks first.

Observations live in one folder, one file per predictor and split, and so do the audits of the data, one file each,
every file under a lock of its own. Processes that share the folder (pytest workers) share the work: each takes the next
piece that nobody else holds. The lock of a process that dies goes with it, and a file appears complete or not at all,
so that the next one starts that piece again.

A model that breaks (an exception, a wrong shape, a process that exits or hangs) leaves a sentence in place of its
observations: the fault is recorded once, by whichever process met it, and the model is not asked again on that split.
Its metrics are those of `control:nan`, whose every prediction is missing, too.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from lvm_gates.harness.audits import ASK_FOR_LEAKS, AUDITS, Audit, Auditor
from lvm_gates.harness.base.atomic import atomic_write
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.controls import STANDARD_CONTROLS, Ingredients, build_control
from lvm_gates.harness.corpus.near_duplicates import near_duplicates
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.evaluation.contamination import TrainingData, judge_training_data
from lvm_gates.harness.evaluation.faults import load_fault, save_fault
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.observe import observe, observe_rollout, observe_together
from lvm_gates.harness.evaluation.original_battery import observe_published
from lvm_gates.harness.evaluation.recorded_leaks import recorded_leaks
from lvm_gates.harness.evaluation.resolve_model import CONTROL, is_control
from lvm_gates.harness.evaluation.session_data import Inputs, training_windows
from lvm_gates.harness.evaluation.split_leaks import Leaks
from lvm_gates.harness.judging.additions import NOTHING_ADDED, Additions
from lvm_gates.harness.judging.control_checks import Conduct, conduct
from lvm_gates.harness.judging.profile import Profile, load_profile
from lvm_gates.harness.judging.shared_work import OnProgress, Piece, do, do_all
from lvm_gates.harness.judging.verdict import Card, judged_again, make_card
from lvm_gates.harness.predictors.isolation.predictor import close_isolated
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.rivals import Basis, RivalScores, blend_of, cached_fitted_weights, score_all
from lvm_gates.harness.statistics.skill import SkillInputs


@dataclass(frozen=True)
class Settings:
    """How a run judges.

    Attributes:
        models: as given to ``--model``, checked, in order.
        profile: whose thresholds decide.
        task: of profile `skill`.
        rule: of release.
        seed: of every random choice.
        batch_size: contexts a predictor reads at once.
        additions: gates, controls and audits from outside.
    """

    models: tuple[str, ...]
    profile: Profile
    task: str
    rule: str
    seed: int
    batch_size: int
    additions: Additions = NOTHING_ADDED


class GateRun:
    """Everything computed in one run, on demand, and kept in ``folder`` for other processes.

    Args:
        settings: how to judge.
        inputs: what to judge on.
        predictors: every model of ``settings.models`` that is no control, loaded.
        folder: where observations and audits are kept.

    Raises:
        UserError: a model that does not fit the corpus.
    """

    def __init__(self, settings: Settings, inputs: Inputs, predictors: Sequence[NamedPredictor], folder: Path) -> None:
        self.settings = settings
        self.inputs = inputs
        self.loaded = {named.name: named for named in predictors}
        self.folder = folder
        for named in predictors:
            check_fits(named, inputs)
        self.predictor = cache(self._predictor)
        self.observations = cache(self._observations)
        self.card = cache(self._card)
        self.control_card = cache(self._control_card)

    @property
    def published(self) -> bool:
        """Whether the original protocol is being reproduced."""
        return self.settings.profile.protocol == "published"

    @cached_property
    def control_names(self) -> tuple[str, ...]:
        """Controls shown and held to their expectations."""
        bayes = ("bayes",) if self.inputs.corpus.synthetic else ()
        return (*STANDARD_CONTROLS, *self.settings.additions.controls, *bayes)

    @cached_property
    def auditors(self) -> dict[str, Auditor]:
        """Every audit of this run by name, in the order in which they are shown."""
        return {**AUDITS, **self.settings.additions.audits}

    def prepare(self, on_progress: OnProgress | None = None) -> None:
        """Compute all observations and audits, sharing the work with other processes that do the same.

        Args:
            on_progress: called with (what, done, total).
        """
        observing = {p.file: p for p in (self._observing(name, split) for name, split in self._pairs())}
        pieces = [*observing.values(), self._searching]
        if not self.published:
            pieces += [piece(split) for piece in (self._scoring, self._comparing_targets) for split in JUDGED]
        pieces += [self._asking(s, split) for s in self.loaded.values() if s.trained_on for split in JUDGED]
        pieces += map(self._auditing, self.auditors)
        do_all(pieces, on_progress)
        self.close()  # everything is observed; what a user's process holds is free for the statistics

    def give_up(self, model: str, sentence: str) -> None:
        """Record that a model cannot be asked, for all processes: it is blocked, and the others are judged."""
        for split in JUDGED:
            save_fault(self._observed(model, split), sentence)

    def faults(self, model: str) -> tuple[str, ...]:
        """How a model broke, each sentence once; empty if it did not."""
        for split in JUDGED:
            do(self._observing(model, split))
        files = [self._observed(model, split) for split in JUDGED]
        return tuple(dict.fromkeys(fault for file in files if (fault := load_fault(file))))

    def close(self) -> None:
        """End the processes of predictors that have one; one that is asked again starts again."""
        close_isolated(named.predictor for named in self.loaded.values())

    @cached_property
    def leaks(self) -> Leaks:
        """Windows of VAL and OOD that stand in TRAIN or in each other."""
        do(self._searching)
        return Leaks.load(self._searching.file)

    @cached_property
    def left_out(self) -> dict[str, Bool[np.ndarray, " n"]]:
        """Which windows of each split no model or control is judged on, because they are leaked.

        None under the original protocol, which reproduces old tables and releases nothing.
        """
        if self.published:
            return {split: np.zeros(len(e.windows), dtype=bool) for split, e in self.inputs.evaluation.items()}
        return {split: self.leaks.left_out(split) for split in JUDGED}

    def left_out_of(self, model: str) -> dict[str, Bool[np.ndarray, " n"]]:
        """The same of one model: besides, the windows that stand in what it records of its training."""
        recorded = {} if self.published or is_control(model) else self._all_recorded(self.loaded[model])
        return {split: self.left_out[split] | recorded.get(split, False) for split in JUDGED}

    @cached_property
    def audits(self) -> list[Audit]:
        """Audits of the data, in the order of `auditors`."""
        pieces = [self._auditing(name) for name in self.auditors]
        for piece in pieces:
            do(piece)
        return [Audit.load(piece.file) for piece in pieces]

    @cached_property
    def conducts(self) -> dict[str, Conduct]:
        """How each control behaved, judged by profile `5cat` and by the session's; none under the original protocol.

        The original battery refuses a perfect oracle, so there is no conduct to hold its controls to.
        """
        if self.published:
            return {}
        profile, session = load_profile("5cat"), self.settings.profile.name
        found = {}
        for name in self.control_names:
            card = judged_again(self.control_card(name), self._both(CONTROL + name), profile, "strict")
            found[name] = conduct(name, card.record(), session, self.settings.additions)
        return found

    @cached_property
    def outside_reasons(self) -> list[str]:
        """What blocks every model of this run: audits that stand in the way, controls that fail their checks."""
        audits = [f"data audit {a.name}: {a.status}; {a.detail}" for a in self.audits if a.blocks]
        controls = [
            f"control:{c.name} fails its check (not true that it {', that it '.join(c.failed_checks)}"
            f"{''.join(f'; {fact}' for fact in c.facts)}), so the gates cannot be trusted on this data"
            for c in self.conducts.values()
            if c.failed_checks
        ]
        return audits + controls

    def _pairs(self) -> Iterator[tuple[str, SplitName]]:
        for name in dict.fromkeys([*self.settings.models, *(CONTROL + c for c in self.control_names)]):
            for split in JUDGED:
                yield name, split

    def _card(self, model: str) -> Card:
        if is_control(model):
            return self._make(Identity(model), self.outside_reasons)
        named = self.loaded[model]
        seen = judge_training_data(named.identity.provenance, named.trained_on, self._all_recorded(named), self.inputs)
        left_out = self.left_out_of(model)
        inputs = self._skill_inputs if self._learnt_from_what_rivals_did(named) else self._skill_inputs_of_strangers
        return self._make(named.identity, self.outside_reasons, inputs, left_out, seen, self.faults(model))

    def _all_recorded(self, named: NamedPredictor) -> dict[SplitName, Bool[np.ndarray, " n"]]:
        return {split: self._recorded(named, split) for split in JUDGED if named.trained_on is not None}

    def _control_card(self, name: str) -> Card:
        return self._make(Identity(CONTROL + name), [], self._skill_inputs_of_controls)

    def _make(
        self,
        identity: Identity,
        outside: list[str],
        skill_inputs: dict[str, SkillInputs] | None = None,
        left_out: Mapping[str, Bool[np.ndarray, " _"]] | None = None,
        training_data: TrainingData | None = None,
        faults: tuple[str, ...] = (),
    ) -> Card:
        return make_card(
            identity,
            self._both(identity.name),
            self.settings.profile,
            self.settings.rule,
            skill_inputs=None if self.published else skill_inputs or self._skill_inputs,
            task=self.settings.task,
            added=self.settings.additions.gates,
            outside=outside,
            faults=faults,
            left_out=self.left_out if left_out is None else left_out,
            training_data=training_data,
        )

    def _both(self, name: str) -> dict[str, Observations]:
        return {split: self.observations(name, split) for split in JUDGED}

    def _learnt_from_what_rivals_did(self, named: NamedPredictor) -> bool:
        """Whether a model says that it was trained on a corpus which ridge and climatology are fitted on here."""
        recorded = ((named.identity.provenance or {}).get("corpus") or {}).get("fingerprint")
        return recorded in {part.corpus.fingerprint for part in training_windows(self.inputs)}

    @cached_property
    def _skill_inputs(self) -> dict[str, SkillInputs]:
        """Of controls, and of models that learnt from what the rivals did: no rival knows the judged domain's mean."""
        return {split: inputs.without_domain() for split, inputs in self._skill_inputs_of_strangers.items()}

    @cached_property
    def _skill_inputs_of_controls(self) -> dict[str, SkillInputs] | None:
        """Closed loops of rivals, which cost a network's worth of ridge each, where the profile judges by them."""
        if self.published or "rollout" in self.settings.profile.gates:
            return None
        return {split: replace(inputs, rollout_of=None) for split, inputs in self._skill_inputs.items()}

    @cached_property
    def _skill_inputs_of_strangers(self) -> dict[str, SkillInputs]:
        """Of models that may have met the judged domain, for all that is known: the rivals have met it as well."""
        return {
            split: SkillInputs(
                self._rivals(split),
                self.observations(f"{CONTROL}linear", split),
                self.near_duplicates_of(split),
                self.left_out[split],
                partial(self._rival_rollout, split),
            )
            for split in JUDGED
        }

    def _rivals(self, split: SplitName) -> RivalScores:
        piece = self._scoring(split)
        do(piece)
        return RivalScores.load(piece.file)

    def _scoring(self, split: SplitName) -> Piece:
        def make(file: Path) -> None:
            evaluation, ingredients = self.inputs.evaluation[split], self._ingredients[split]
            basis = self._basis(split)
            fitted = cached_fitted_weights(
                ingredients.training, ingredients.seed, ingredients.linear_fit.held_out, basis.climatology
            )
            score_all(evaluation, fitted, basis).save(file)

        return Piece(f"rivals on {split}", self.folder / f"rivals-{split}.npz", make)

    def _basis(self, split: SplitName) -> Basis:
        ingredients = self._ingredients[split]
        return Basis(ingredients.climatology.vector, ingredients.linear)

    def _rival_rollout(self, split: SplitName, name: str) -> Float[np.ndarray, "n horizon"]:
        """The closed loop of one rival; only those that some model is compared with are ever rolled out."""
        scores = self._skill_inputs_of_strangers[split].rivals
        index = scores.names.index(name)
        file = self.folder / f"rollout-{split}-{index}.npy"

        def make(file: Path) -> None:
            evaluation = self.inputs.evaluation[split]
            named = NamedPredictor(
                Identity(name), blend_of(name, scores, self._basis(split), evaluation), only_reads=True
            )
            cosines = observe_rollout(named, evaluation, batch_size=self.settings.batch_size)
            with atomic_write(file) as stream:
                np.save(stream, cosines, allow_pickle=False)

        do(Piece(f"rollout of {name} on {split}", file, make))
        return np.asarray(np.load(file, allow_pickle=False))

    def near_duplicates_of(self, split: SplitName) -> Bool[np.ndarray, " n"]:
        """Which windows of a split have a target that nearly equals a training chunk."""
        piece = self._comparing_targets(split)
        do(piece)
        return np.asarray(np.load(piece.file, allow_pickle=False))

    def _comparing_targets(self, split: SplitName) -> Piece:
        def make(file: Path) -> None:
            found = near_duplicates(self.inputs.evaluation[split].windows, training_windows(self.inputs))
            with atomic_write(file) as stream:
                np.save(stream, found, allow_pickle=False)

        return Piece(f"near duplicates on {split}", self.folder / f"near-duplicates-{split}.npy", make)

    def _recorded(self, named: NamedPredictor, split: SplitName) -> Bool[np.ndarray, " n"]:
        """Which windows of a split stand in what a model says it was trained on."""
        piece = self._asking(named, split)
        do(piece)
        return np.asarray(np.load(piece.file, allow_pickle=False))

    def _asking(self, named: NamedPredictor, split: SplitName) -> Piece:
        def make(file: Path) -> None:
            found = recorded_leaks(named.trained_on, self.inputs.evaluation[split])
            with atomic_write(file) as stream:
                np.save(stream, found, allow_pickle=False)

        file = self.folder / f"{_digest(named.name)}-{split}-recorded.npy"
        return Piece(f"{split} in the training data of {named.name}", file, make)

    def _predictor(self, name: str, split: SplitName) -> NamedPredictor:
        if not is_control(name):
            return self.loaded[name]
        own, ingredients = name.removeprefix(CONTROL), self._ingredients[split]
        added = self.settings.additions.controls.get(own)
        if added:
            return NamedPredictor(Identity(name), added.build(ingredients))
        return NamedPredictor(Identity(name), build_control(own, ingredients), only_reads=True)

    @cached_property
    def _ingredients(self) -> dict[SplitName, Ingredients]:
        training, seed = self.inputs.training, self.settings.seed
        if self.inputs.has_training_split:  # fitted once for both splits
            return dict.fromkeys(JUDGED, Ingredients(self.inputs.corpus, training[JUDGED[0]], seed))
        return {split: Ingredients(self.inputs.corpus, training[split], seed) for split in JUDGED}

    def _observing(self, name: str, split: SplitName) -> Piece:
        if is_control(name):  # side by side: their windows are gathered and their candidates listed once
            return Piece(
                f"controls on {split}", self.folder / f"controls-{split}.txt", partial(self._observe_controls, split)
            )
        return Piece(f"{name} on {split}", self._observed(name, split), partial(self._observe, name, split), alone=True)

    def _observed(self, name: str, split: SplitName) -> Path:
        """Where the observations of a model or control are kept."""
        return self.folder / f"{_digest(name)}-{split}.npz"

    def _observe(self, name: str, split: SplitName, file: Path) -> None:
        try:
            if self.published:
                observed = self._observe_published(name, split)
            else:
                # Only the ranks of models are judged, against ridge's.
                observed = observe(
                    self.predictor(name, split),
                    self.inputs.evaluation[split],
                    batch_size=self.settings.batch_size,
                    rank_interval=True,
                )
        except UserError as error:
            save_fault(file, str(error))
        else:
            observed.save(file)

    def _observe_published(self, name: str, split: SplitName) -> Observations:
        evaluation = self.inputs.evaluation[split]
        return observe_published(self.predictor(name, split), evaluation, batch_size=self.settings.batch_size)

    def _observe_controls(self, split: SplitName, done: Path) -> None:
        names = [name for name, own in self._pairs() if own == split and is_control(name)]
        if self.published:
            found = [self._observe_published(name, split) for name in names]
        else:
            found = observe_together(
                [self.predictor(name, split) for name in names],
                self.inputs.evaluation[split],
                batch_size=self.settings.batch_size,
                rank_intervals=[*self.settings.models, f"{CONTROL}linear"],
            )
        for name, observed in zip(names, found, strict=True):
            observed.save(self._observed(name, split))
        with atomic_write(done) as stream:
            stream.write("\n".join(names).encode(errors="surrogatepass"))

    def _auditing(self, name: str) -> Piece:
        file = self.folder / f"audit-{name.replace(' ', '-')}.npz"

        def make(file: Path) -> None:
            inputs = replace(self.inputs, known_leaks=self.leaks) if name in ASK_FOR_LEAKS else self.inputs
            found = self.auditors[name](inputs)
            if not isinstance(found, Audit) or found.name != name:
                called = repr(found.name) if isinstance(found, Audit) else type(found).__name__
                raise UserError(f"audit {name!r} returned {called}; it must return an Audit of its own name.")
            found.save(file)

        return Piece(f"audit {name}", file, make)

    @cached_property
    def _searching(self) -> Piece:
        training = sum(len(part.corpus.rows_of(np.unique(part.clusters))) for part in training_windows(self.inputs))
        what = f"leaked windows among {training:,} training chunks"
        return Piece(what, self.folder / "leaks.npz", lambda file: self.inputs.leaks.save(file))

    def _observations(self, name: str, split: SplitName) -> Observations:
        do(self._observing(name, split))
        file = self._observed(name, split)
        if load_fault(file) is not None:
            return self.observations(CONTROL + "nan", split)
        return Observations.load(file)


def _digest(name: str) -> str:
    """A name as part of a file's: a path of any length, which need be no UTF-8."""
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]


def check_fits(named: NamedPredictor, inputs: Inputs) -> None:
    """Whether a model reads what the corpus holds.

    Raises:
        UserError: another dimension or context length.
    """
    corpus, context = inputs.corpus, inputs.evaluation["VAL"].windows.context
    if named.dim is not None and named.dim != corpus.dim:
        raise UserError(
            f"{named.name}: reads embeddings of {named.dim} dimensions, but {corpus.path} has {corpus.dim}; name "
            "a corpus of the encoder that it was trained on with --corpus."
        )
    if named.context is not None and named.context != context:
        raise UserError(
            f"{named.name}: was trained on {named.context} context frames, the windows have {context}; use "
            f"--context={named.context}."
        )
