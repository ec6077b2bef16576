"""Gates, controls and audits from outside: one file each, named on the command line or offered by a package.

``--gate``, ``--control`` and ``--audit`` take ``python:package.module:name``; an installed package offers the same by
an entry point in the groups of `GROUPS`, and every session has it then. A gate or control that does not say by which
behaviour it can be recognised is refused before anything is judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lvm_gates.harness.audits import AUDITS, Auditor
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.imported import import_named, load_offered, offered
from lvm_gates.harness.controls import STANDARD_CONTROLS, Control, check_control
from lvm_gates.harness.judging.gates import TITLES, Gate, check_gate

GROUPS: Mapping[str, str] = MappingProxyType(
    {"gate": "lvm_gates.gates", "control": "lvm_gates.controls", "audit": "lvm_gates.audits"}
)


@dataclass(frozen=True)
class Additions:
    """What a session has beyond this package.

    Attributes:
        gates: judged beside those of the profile; a release needs all of them.
        controls: by name, run and held to what they declare.
        audits: by name, run beside the others.
    """

    gates: tuple[Gate, ...] = ()
    controls: Mapping[str, Control] = field(default_factory=dict)
    audits: Mapping[str, Auditor] = field(default_factory=dict)


NOTHING_ADDED = Additions()


def load_additions(gates: Sequence[str], controls: Sequence[str], audits: Sequence[str], root: Path) -> Additions:
    """Everything that was named, and everything that installed packages offer.

    Args:
        gates: ``python:package.module:name`` of each `Gate`.
        controls: of each `Control`.
        audits: of each audit, a function from `Inputs` to `Audit`; its name with spaces is the audit's.
        root: folder whose modules are found first.

    Raises:
        UserError: something that cannot be imported, is not what it should be, or bears a name that is taken.
    """
    added_gates = [check_gate(gate, source) for source, gate in _found("gate", gates, root)]
    added_controls = [check_control(control, source) for source, control in _found("control", controls, root)]
    added_audits = [(_audit_name(audit, source), audit) for source, audit in _found("audit", audits, root)]
    _refuse_twice("gate", [gate.name for gate in added_gates])
    _refuse_twice("control", [control.name for control in added_controls])
    _refuse_twice("audit", [name for name, _ in added_audits])
    # A control that the session does not run would never be held to what the gate says of it.
    run = {*STANDARD_CONTROLS, *(control.name for control in added_controls)}
    for gate in added_gates:
        if absent := {*gate.passed_by, *gate.failed_by} - run:
            raise UserError(
                f"gate {gate.name}: speaks of control:{min(absent)}, which is not run in every session; name one of "
                f"{', '.join(sorted(run))}."
            )
    judged = {*TITLES, *(gate.name for gate in added_gates)}
    for control in added_controls:
        if unknown := {*control.passes, *control.fails} - judged:
            raise UserError(f"control {control.name}: speaks of gate {min(unknown)}, and there is no such gate.")
    return Additions(tuple(added_gates), {control.name: control for control in added_controls}, dict(added_audits))


def _found(kind: str, specs: Sequence[str], root: Path) -> Iterator[tuple[str, Any]]:
    for point in offered(GROUPS[kind]):
        yield f"entry point {point.name}", load_offered(point)
    for spec in specs:
        yield f"--{kind}={spec}", import_named(spec, root)


def _audit_name(audit: Any, source: str) -> str:
    if not callable(audit) or not hasattr(audit, "__name__"):
        raise UserError(f"{source}: is {type(audit).__name__}, not a function from Inputs to Audit.")
    name = str(audit.__name__).strip("_").replace("_", " ")
    if name in AUDITS:
        raise UserError(f"{source}: audit {name!r} is there already; give it another name.")
    return name


def _refuse_twice(kind: str, names: Sequence[str]) -> None:
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{kind} {repeated[0]} is added twice; name it once.")
