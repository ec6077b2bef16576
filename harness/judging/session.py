"""A gate run: every model and control over every split, judged.

What a verdict rests on is made on demand by four parts, and kept in one folder: `observing`, `findings`, `auditing` and
`rivals`, every file of theirs under a lock of its own. Processes that share the folder (pytest workers) share the work:
each takes the next piece that nobody else holds. The lock of a process that dies goes with it, and a file appears
complete or not at all, so that the next one starts that piece again.
"""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.audits import Audit, Auditor
from lvm_gates.harness.base.processes import ranks
from lvm_gates.harness.controls import Ingredients
from lvm_gates.harness.corpus.splits import JUDGED, SplitName
from lvm_gates.harness.evaluation.contamination import TrainingData, judge_training_data
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.evaluation.resolve_model import CONTROL, is_control
from lvm_gates.harness.evaluation.session_data import Inputs
from lvm_gates.harness.evaluation.split_leaks import Leaks
from lvm_gates.harness.judging.auditing import Auditing
from lvm_gates.harness.judging.control_checks import Conduct, conduct
from lvm_gates.harness.judging.findings import Findings
from lvm_gates.harness.judging.observing import Observing, ingredients_of
from lvm_gates.harness.judging.over_processes import OverProcesses
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.rival_inputs import RivalInputs
from lvm_gates.harness.judging.settings import Settings, check_fits
from lvm_gates.harness.judging.shared_work import OnProgress, do_all
from lvm_gates.harness.judging.verdict import Card, judged_again, make_card
from lvm_gates.harness.predictors.isolation.predictor import close_isolated
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.statistics.skill import SkillInputs


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
        self.loaded = {named.name: named for named in predictors}
        for named in predictors:
            check_fits(named, inputs)
        self.judge_on(inputs, ingredients_of(inputs, settings.seed), folder)
        self.auditing = Auditing(inputs, self.findings, settings.additions.audits, folder)
        self.card = cache(self._card)
        self.control_card = cache(self._control_card)

    def judge_on(self, inputs: Inputs, ingredients: Mapping[SplitName, Ingredients], folder: Path) -> None:
        """Ask and compare on these windows from now on; no card may have been made before.

        Args:
            inputs: what to judge on.
            ingredients: what controls and rivals are fitted on.
            folder: where what is found is kept.
        """
        settings = self.settings
        self.inputs, self.ingredients, self.folder = inputs, ingredients, folder
        self.findings = Findings(inputs, published=settings.published, folder=folder)
        self.observing = Observing(settings, inputs, self.loaded, ingredients, folder)
        self.rivals = RivalInputs(settings, inputs, ingredients, self.observing, self.findings, folder)

    @property
    def published(self) -> bool:
        """Whether the original protocol is being reproduced."""
        return self.settings.published

    @property
    def control_names(self) -> tuple[str, ...]:
        """Controls shown and held to their expectations."""
        return self.observing.control_names

    @property
    def auditors(self) -> dict[str, Auditor]:
        """Every audit of this run by name, in the order in which they are shown."""
        return self.auditing.auditors

    @property
    def audits(self) -> list[Audit]:
        """Audits of the data, in the order of `auditors`."""
        return self.auditing.audits

    @property
    def leaks(self) -> Leaks:
        """Windows of VAL and OOD that stand in TRAIN or in each other."""
        return self.findings.leaks

    @property
    def left_out(self) -> dict[str, Bool[np.ndarray, " n"]]:
        """Which windows of each split no model or control is judged on, because they are leaked."""
        return self.findings.left_out

    def left_out_of(self, model: str) -> dict[str, Bool[np.ndarray, " n"]]:
        """The same of one model or control: windows that a model says it was trained on are left out too."""
        return self.findings.left_out_of(self.loaded[model]) if model in self.loaded else dict(self.left_out)

    def observations(self, name: str, split: SplitName) -> Observations:
        """What a model or control did on a split."""
        return self.observing.observations(name, split)

    def prepare(self, on_progress: OnProgress | None = None) -> None:
        """Compute all observations and audits, sharing the work with other processes that do the same.

        Of several processes that `torchrun` started the first one has it all, and is to judge.

        Args:
            on_progress: called with (what, done, total).
        """
        pieces = [self.findings.asking(s, split) for s in self.loaded.values() if s.trained_on for split in JUDGED]
        if not self.published:
            for piece in (self.rivals.scoring, self.findings.comparing_targets):
                pieces += [piece(split) for split in JUDGED]
        audits = [self.findings.searching, *self.auditing.pieces()]  # some of which ask what the search found
        if ranks().alone:
            do_all([*self.observing.pieces(), *audits, *pieces], on_progress)
        else:
            shared = OverProcesses(self.observing, self.inputs.evaluation, self.settings.batch_size, ranks())
            shared.prepare([*([piece] for piece in pieces), audits], on_progress)
        self.close()  # everything is observed; what a user's process holds is free for the statistics

    def close(self) -> None:
        """End the processes of predictors that have one; one that is asked again starts again."""
        close_isolated(named.predictor for named in self.loaded.values())

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
            card = judged_again(self.control_card(name), self.observing.both(CONTROL + name), profile, "strict")
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

    def _card(self, model: str) -> Card:
        if is_control(model):
            skill_inputs = None if self.published else self.rivals.without_domain
            return self._make(Identity(model), self.outside_reasons, skill_inputs)
        named = self.loaded[model]
        recorded = self.findings.all_recorded(named)
        seen = judge_training_data(named.identity.provenance, named.trained_on, recorded, self.inputs)
        left_out = self.left_out_of(model)
        skill_inputs = None if self.published else self.rivals.of_model(named)
        faults = self.observing.faults(model)
        return self._make(named.identity, self.outside_reasons, skill_inputs, left_out, seen, faults)

    def _control_card(self, name: str) -> Card:
        return self._make(Identity(CONTROL + name), [], None if self.published else self.rivals.of_controls)

    def _make(
        self,
        identity: Identity,
        outside: list[str],
        skill_inputs: dict[str, SkillInputs] | None,
        left_out: Mapping[str, Bool[np.ndarray, " _"]] | None = None,
        training_data: TrainingData | None = None,
        faults: tuple[str, ...] = (),
    ) -> Card:
        return make_card(
            identity,
            self.observing.both(identity.name),
            self.settings.profile,
            self.settings.rule,
            skill_inputs=skill_inputs,
            task=self.settings.task,
            added=self.settings.additions.gates,
            outside=outside,
            faults=faults,
            left_out=self.left_out if left_out is None else left_out,
            training_data=training_data,
        )
