"""The gates: what each asks, and of which observations. The one list of them.

A gate of this list has its thresholds in the profile files and its test in ``gates/``. One that is added from outside
(`harness.judging.additions`) brings its thresholds, and the controls that prove it, with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.record import Record
from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.observations import Observations
from lvm_gates.harness.judging.profile import Threshold
from lvm_gates.harness.statistics import ablation_effects, generalisation, offset_sweep, retrieval, rollout
from lvm_gates.harness.statistics.split import BySplit

Statistic = Callable[[Observations], Record | Mapping[str, Estimate]]
"""Observations of one split to metrics by name; a gate from outside returns a dictionary of `Estimate`."""


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes:
        name: a letter, or a word; as profiles, markers and scorecards call it.
        title: a few words.
        question: what it asks, in plain words.
        statistic: of each judged split; None where a gate is judged on metrics of both (E, and those of profile
            `skill`, which share theirs).
        thresholds: of a gate that is added from outside; those of the others stand in the profile files.
        passed_by: controls that must pass it, or no model gets a verdict; of a gate that is added from outside.
        failed_by: controls that must fail it; the same.
        next_step: what to look at when a model fails it.
    """

    name: str
    title: str
    question: str
    statistic: Statistic | None = None
    thresholds: tuple[Threshold, ...] = ()
    passed_by: tuple[str, ...] = ()
    failed_by: tuple[str, ...] = ()
    next_step: str = "compare the controls' metrics in the scorecard."


ABSOLUTE: tuple[Gate, ...] = (
    Gate("A", "offset sweep", "Is the prediction nearest to the chunk that it should predict?", offset_sweep),
    Gate("B", "retrieval", "Is that chunk found among the others of its article, by the prediction?", retrieval),
    Gate("C", "ablations", "Does the prediction suffer when the context is spoiled?", ablation_effects),
    Gate("D", "rollout", "Does the model stay on course when it reads its own predictions?", rollout),
    Gate("E", "generalisation", "Are articles of another distribution predicted as well?"),
)
SKILL: tuple[Gate, ...] = (
    Gate("frontier", "against the frontier of rivals", "Is it better than everything that needs no network?"),
    Gate("order", "use of order", "Does the order of the context matter to it?"),
    Gate("rollout", "closed loop", "Does it stay as close as the nearest rival when it reads its own predictions?"),
    Gate("spread", "no collapse", "Are its predictions as varied as ridge's, and no copies of a frame?"),
    Gate("generalisation", "from VAL to OOD", "Is at least half of its skill left on another distribution?"),
)
GATES: tuple[str, ...] = tuple(gate.name for gate in ABSOLUTE)
TITLES: Mapping[str, str] = {gate.name: gate.title for gate in (*ABSOLUTE, *SKILL)}
QUESTIONS: Mapping[str, str] = {gate.name: gate.question for gate in (*ABSOLUTE, *SKILL)}


def statistics_of(observed: Mapping[str, Observations], added: tuple[Gate, ...] = ()) -> dict[str, BySplit[Any]]:
    """Gate -> metrics on both splits, of the gates A-E and of those added; of gate E its own metrics besides.

    Args:
        observed: split -> observations.
        added: gates from outside.
    """
    found: dict[str, BySplit[Any]] = {
        gate.name: BySplit(val=gate.statistic(observed["VAL"]), ood=gate.statistic(observed["OOD"]))
        for gate in (*ABSOLUTE, *added)
        if gate.statistic is not None
    }
    return found | {"E": generalisation(observed["VAL"], observed["OOD"])}


def check_gate(gate: object, source: str) -> Gate:
    """A gate from outside, if it can be trusted with a verdict.

    Args:
        gate: what was found.
        source: where, for messages.

    Raises:
        UserError: no `Gate`; one of a name that is taken; without a statistic, or a limit for each split; or one that
            no control proves from both sides.
    """
    if not isinstance(gate, Gate):
        raise UserError(f"{source}: is {type(gate).__name__}, not a Gate of lvm_gates.harness.judging.gates.")
    if gate.name in TITLES:
        raise UserError(f"{source}: gate {gate.name} is there already; give it another name.")
    if gate.statistic is None or not gate.thresholds:
        raise UserError(
            f"{source}: gate {gate.name} has no statistic or no threshold; one without them judges nothing."
        )
    if any(threshold.gate != gate.name for threshold in gate.thresholds):
        raise UserError(f"{source}: a threshold of gate {gate.name} names another gate; give it gate={gate.name!r}.")
    if any(set(threshold.limits) != set(JUDGED) for threshold in gate.thresholds):
        raise UserError(
            f"{source}: every threshold of gate {gate.name} needs a limit for VAL and one for OOD; on a split without "
            "one, nothing would be judged."
        )
    if not gate.passed_by or not gate.failed_by:
        raise UserError(
            f"{source}: gate {gate.name} does not say which controls must pass it and which must fail; name at least "
            "one in passed_by (such as oracle) and one in failed_by (such as random)."
        )
    return gate
