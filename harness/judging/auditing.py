"""The audits of a session's data, each made once, whoever comes first."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lvm_gates.harness.audits import ASK_FOR_LEAKS, AUDITS, Audit, Auditor
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.evaluation.session_data import Inputs
from lvm_gates.harness.judging.findings import Findings
from lvm_gates.harness.judging.shared_work import Piece, do


class Auditing:
    """What the audits say of the data, on demand, and kept in ``folder``.

    Args:
        inputs: what is audited.
        findings: about its windows; audits that ask for leaks read them there.
        added: name -> audits from outside.
        folder: shared by all processes of the session.
    """

    def __init__(self, inputs: Inputs, findings: Findings, added: Mapping[str, Auditor], folder: Path) -> None:
        self._inputs, self._findings, self._added, self._folder = inputs, findings, added, folder

    @cached_property
    def auditors(self) -> dict[str, Auditor]:
        """Every audit of this run by name, in the order in which they are shown."""
        return {**AUDITS, **self._added}

    @cached_property
    def audits(self) -> list[Audit]:
        """What they found, in the order of `auditors`."""
        pieces = self.pieces()
        for piece in pieces:
            do(piece)
        return [Audit.load(piece.file) for piece in pieces]

    def pieces(self) -> list[Piece]:
        """One piece of work an audit."""
        return [self._piece(name) for name in self.auditors]

    def _piece(self, name: str) -> Piece:
        file = self._folder / f"audit-{name.replace(' ', '-')}.npz"

        def make(file: Path) -> None:
            asks = name in ASK_FOR_LEAKS
            found = self.auditors[name](
                replace(self._inputs, known_leaks=self._findings.leaks) if asks else self._inputs
            )
            if not isinstance(found, Audit) or found.name != name:
                called = repr(found.name) if isinstance(found, Audit) else type(found).__name__
                raise UserError(f"audit {name!r} returned {called}; it must return an Audit of its own name.")
            found.save(file)

        return Piece(f"audit {name}", file, make)
