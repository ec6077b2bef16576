"""What a scorecard says of one model or control, typed: written from `harness.judging.verdict`, and read back."""

from typing import Any, Generic, Literal

import msgspec

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.record import Record
from lvm_gates.harness.judging.judge import Check
from lvm_gates.harness.judging.release import Verdict
from lvm_gates.harness.predictors.training_history import Training
from lvm_gates.harness.statistics.breakdown import Breakdown
from lvm_gates.harness.statistics.generalisation import Generalisation
from lvm_gates.harness.statistics.leak_effect import LeakEffect
from lvm_gates.harness.statistics.offsets import OffsetSweep
from lvm_gates.harness.statistics.perturbations import AblationEffects
from lvm_gates.harness.statistics.retrieval import Retrieval
from lvm_gates.harness.statistics.rollout import Rollout
from lvm_gates.harness.statistics.skill_metrics import TaskSkill
from lvm_gates.harness.statistics.split import BySplit, S


class JudgedGate(BySplit[S], Generic[S], frozen=True, kw_only=True):
    """A gate: its statistic on both splits, and how that was judged.

    Attributes:
        passed: every check.
        checks: each metric beside its limit.
    """

    passed: bool
    checks: list[Check] = msgspec.field(default_factory=list)


class AddedGate(JudgedGate[dict[str, Estimate]], frozen=True, kw_only=True):
    """A gate from outside: on each split its metrics, by name."""


class JudgedGeneralisation(Generalisation, frozen=True, kw_only=True):
    """Gate E.

    Attributes:
        passed: every check.
        checks: each metric beside its limit.
    """

    passed: bool
    checks: list[Check] = msgspec.field(default_factory=list)


class Gates(Record, frozen=True, rename="upper", kw_only=True):
    """The gates A-E."""

    a: JudgedGate[OffsetSweep]
    b: JudgedGate[Retrieval]
    c: JudgedGate[AblationEffects]
    d: JudgedGate[Rollout]
    e: JudgedGeneralisation


class SkillGate(Record, frozen=True, kw_only=True):
    """A gate of profile `skill`, whose gates share their statistics.

    Attributes:
        passed: every check.
        checks: each metric beside its limit.
    """

    passed: bool
    checks: list[Check] = msgspec.field(default_factory=list)


AnyGate = JudgedGate[Any] | JudgedGeneralisation | SkillGate


class Skill(Record, frozen=True, omit_defaults=True, kw_only=True):
    """Profile `skill`; without any field where it was not computed.

    Attributes:
        task: what the session judges by.
        val: on VAL.
        ood: on OOD.
        retained: share of the VAL metric that is left on OOD.
        passed: every gate of the profile.
        gates: by name.
    """

    task: str | None = None
    val: TaskSkill | None = msgspec.field(name="VAL", default=None)
    ood: TaskSkill | None = msgspec.field(name="OOD", default=None)
    retained: Estimate | None = None
    passed: bool | None = None
    gates: dict[str, SkillGate] = msgspec.field(default_factory=dict)

    def of(self, split: str) -> TaskSkill | None:
        """On one split; None where it was not computed."""
        found: TaskSkill | None = self[split]
        return found


class TrainingVerdict(Record, frozen=True, kw_only=True):
    """Whether a model was trained on what it is judged on, as far as its own record tells."""

    status: Literal["clean", "contaminated", "not checkable"]
    detail: str


class CardRecord(Record, frozen=True, kw_only=True):
    """A judged model.

    Attributes:
        name: as given to ``--model``, or ``control:NAME``.
        sha256: of its file; null where it is none.
        verdict: of the session's profile and release rule.
        blocked: whether that is "blocked".
        reasons: for the verdict.
        tolerated: gates that failed and that the rule lets fail.
        not_run: required gates that did not run; a model with any is never released.
        faults: how it broke while it was asked.
        provenance: what its checkpoint records of its training.
        assumed: what its file does not say and was taken to be so when it was loaded, in words.
        files: SHA-256 of the files it is made of, by name, where that is not one checkpoint.
        leaks: split -> windows left out, and what they would change.
        training_data: null of a control.
        gates: A-E.
        skill: profile `skill`.
        added_gates: gates from outside, by name.
        training: how it was trained; null where that is not known.
        breakdown: split -> where the model is weak; empty of controls, and in reports from before it was looked for.
    """

    name: str
    sha256: str | None = None
    verdict: Verdict
    blocked: bool = False
    reasons: list[str]
    tolerated: list[str] = msgspec.field(default_factory=list)
    not_run: list[str] = msgspec.field(default_factory=list)
    faults: list[str] = msgspec.field(default_factory=list)
    provenance: dict[str, Any] | None = None
    assumed: list[str] = msgspec.field(default_factory=list)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    leaks: dict[str, LeakEffect] = msgspec.field(default_factory=dict)
    training_data: TrainingVerdict | None = None
    gates: Gates
    skill: Skill = Skill()
    added_gates: dict[str, AddedGate] = msgspec.field(default_factory=dict)
    training: Training | None = None
    breakdown: dict[str, Breakdown] = msgspec.field(default_factory=dict)

    def gate(self, name: str) -> AnyGate:
        """A gate by its name.

        Raises:
            KeyError: it was not judged.
        """
        found: AnyGate
        if name in self.gates.__struct_encode_fields__:
            found = self.gates[name]
        else:
            found = self.added_gates[name] if name in self.added_gates else self.skill.gates[name]
        return found


class ControlRecord(CardRecord, frozen=True, kw_only=True):
    """A judged control.

    Attributes:
        failed_checks: what it must do on any corpus and did not; no model gets a verdict then.
        unusual: what it usually does and did not.
        open_gates: gates that do not tell a network from it on this corpus.
    """

    failed_checks: list[str] = msgspec.field(name="misbehaved", default_factory=list)
    unusual: list[str] = msgspec.field(default_factory=list)
    open_gates: list[str] = msgspec.field(default_factory=list)
