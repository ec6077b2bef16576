"""One scorecard entry: everything said of one model or control. Metrics stay `Estimate` until they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import numpy as np
from jaxtyping import Bool

from lvm_gates.harness.base.record import Record
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.contamination import RECORD, TrainingData
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.judging.card import (
    AddedGate,
    CardRecord,
    Gates,
    JudgedGate,
    JudgedGeneralisation,
    Skill,
    SkillGate,
    TrainingVerdict,
)
from lvm_gates.harness.judging.gates import GATES, Gate, statistics_of
from lvm_gates.harness.judging.judge import Check, judge_gate
from lvm_gates.harness.judging.profile import Profile, load_profile
from lvm_gates.harness.judging.release import Decision, blocking_reasons, decide
from lvm_gates.harness.predictors.predictor import Identity
from lvm_gates.harness.statistics.leak_effect import LeakEffect, effect, with_skill
from lvm_gates.harness.statistics.skill import SkillInputs
from lvm_gates.harness.statistics.split import BySplit
from lvm_gates.harness.statistics.task_skill import SkillStatistics, skill_statistics

J = TypeVar("J", bound=Record)


@dataclass(frozen=True)
class Card:
    """A judged model or control.

    Attributes:
        identity: who.
        gates: gate -> statistics by split, of the gates A-E and of those added.
        skill: statistics of profile `skill` by split, None where not computed.
        leaks: split -> leaked windows, and what they would change (`harness.statistics.leak_effect`).
        training_data: whether it has seen what it is judged on, None of controls.
        checks: gate -> every metric compared with its threshold, for the gates of all profiles judged.
        decision: the verdict of the session's profile.
        faults: how the model broke while it was asked; its metrics are then those of missing predictions.
    """

    identity: Identity
    gates: dict[str, BySplit[Any]]
    skill: SkillStatistics | None
    leaks: dict[str, LeakEffect]
    training_data: TrainingVerdict | None
    checks: dict[str, list[Check]]
    decision: Decision
    faults: tuple[str, ...] = ()

    def passed(self, gate: str) -> bool:
        """Whether every check of a gate passed; a gate without checks has not."""
        return passes(self.checks.get(gate, []))

    def record(self) -> CardRecord:
        """What the scorecard says of it."""
        own = Gates.__struct_encode_fields__
        gates: dict[str, Any] = {gate.lower(): self._judged(gate, JudgedGate) for gate in own if gate != "E"}
        return CardRecord(
            name=self.identity.name,
            sha256=self.identity.sha256,
            verdict=self.decision.verdict,
            blocked=self.decision.verdict == "blocked",
            reasons=list(self.decision.reasons),
            tolerated=list(self.decision.tolerated),
            faults=list(self.faults),
            provenance=_without_hashes(self.identity.provenance),
            assumed=list(self.identity.assumed),
            files=dict(self.identity.files),
            training=self.identity.training,
            leaks=self.leaks,
            training_data=self.training_data,
            gates=Gates(**gates, e=self._judged("E", JudgedGeneralisation)),
            skill=Skill() if self.skill is None else self._judged_skill(self.skill),
            added_gates={gate: self._judged(gate, AddedGate) for gate in self.gates if gate not in own},
        )

    def _judged(self, gate: str, kind: type[J]) -> J:
        statistics = msgspec.structs.asdict(self.gates[gate])
        return kind(**statistics, passed=self.passed(gate), checks=self.checks[gate])

    def _judged_skill(self, found: SkillStatistics) -> Skill:
        gates = {
            gate: SkillGate(passed=self.passed(gate), checks=checks)
            for gate, checks in self.checks.items()
            if gate not in self.gates
        }
        passed = all(gate.passed for gate in gates.values())
        return Skill(**msgspec.structs.asdict(found), passed=passed, gates=gates)


def passes(checks: Sequence[Check]) -> bool:
    """Whether every check passed, and there is one: a gate that checks nothing is not passed."""
    return bool(checks) and all(check.passed for check in checks)


def _without_hashes(provenance: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Thousands of hashes belong into the checkpoint, not into a report."""
    return None if provenance is None else {key: value for key, value in provenance.items() if key != RECORD}


def make_card(
    identity: Identity,
    observed: Mapping[str, Observations],
    profile: Profile,
    rule: str,
    *,
    skill_inputs: Mapping[str, SkillInputs] | None,
    task: str,
    added: tuple[Gate, ...] = (),
    outside: Sequence[str] = (),
    faults: Sequence[str] = (),
    left_out: Mapping[str, Bool[np.ndarray, " _"]] | None = None,
    training_data: TrainingData | None = None,
) -> Card:
    """Compute, judge and decide.

    Args:
        identity: who.
        observed: split -> observations.
        profile: the session's profile; its gates decide.
        rule: the release rule.
        skill_inputs: split -> what to compare with, None to leave skill out.
        task: "frontier", "retrieval" or "decoding".
        added: gates from outside; the profile holds their thresholds.
        outside: reasons to block that are not the model's own (a failed audit, a control that fails its check).
        faults: how the model broke. They block, in place of all that its missing predictions would say of it.
        left_out: split -> windows that are leaked, and so left out of every metric; by default none.
        training_data: whether the model has seen what it is judged on, None of controls.
    """
    if left_out is None:
        left_out = {split: np.zeros(len(values), dtype=bool) for split, values in observed.items()}
    gates = statistics_of({split: observed[split].take(np.flatnonzero(~left_out[split])) for split in JUDGED}, added)
    absolute = profile if set(GATES) <= set(profile.gates) else load_profile("5cat")
    checks = {gate: judge_gate(gate, gates[gate], absolute) for gate in GATES}
    checks |= {gate.name: judge_gate(gate.name, gates[gate.name], profile) for gate in added}
    metrics: SkillStatistics | None = None
    if skill_inputs is not None:
        metrics = skill_statistics(observed, skill_inputs, task, left_out)
        relative = load_profile("skill")
        checks |= {gate: judge_gate(gate, metrics, relative) for gate in relative.gates}
    contaminated = () if training_data is None else training_data.reasons
    own = () if faults else blocking_reasons(observed, gates, profile)
    decision = _decide(checks, gates, profile, rule, [*faults, *outside, *contaminated, *own])
    leaks = effect(gates, statistics_of(observed), observed, left_out)
    if metrics is not None and skill_inputs is not None:
        leaks = with_skill(leaks, metrics, observed, skill_inputs)
    seen = None if training_data is None else TrainingVerdict(status=training_data.status, detail=training_data.detail)
    return Card(identity, gates, metrics, leaks, seen, checks, decision, tuple(faults))


def judged_again(card: Card, observed: Mapping[str, Observations], profile: Profile, rule: str) -> Card:
    """The same statistics and checks under another profile's verdict, which nothing from outside blocks.

    Args:
        card: of a control.
        observed: what it was made of.
        profile: whose gates decide; all of them have been checked.
        rule: of that profile.
    """
    decision = _decide(card.checks, card.gates, profile, rule, blocking_reasons(observed, card.gates, profile))
    return replace(card, decision=decision)


def _decide(
    checks: Mapping[str, Sequence[Check]],
    gates: Mapping[str, Any],
    profile: Profile,
    rule: str,
    blocking: Sequence[str],
) -> Decision:
    passed = {gate: passes(checks[gate]) for gate in profile.gates}
    return decide(passed, gates, profile, rule, blocking)
