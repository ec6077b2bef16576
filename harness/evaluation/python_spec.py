"""``python:package.module:factory?weights=best.pt&alpha=.3``: which code, with which arguments and files."""

import hashlib
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.imported import PYTHON
from lvm_gates.harness.base.paths import is_file

Value = str | int | float
_WHOLE = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


class PythonSpec(NamedTuple):
    """A model of the user's own code.

    Attributes:
        module: to import.
        factory: its factory, or a function of contexts, or a predictor.
        arguments: of the factory, by name; numbers as numbers, all else as text.
    """

    module: str
    factory: str
    arguments: dict[str, Value]

    @property
    def record(self) -> dict[str, Any]:
        """What the scorecard says of it."""
        return {"module": self.module, "factory": self.factory, "arguments": self.arguments}

    def files(self, root: Path) -> dict[str, str]:
        """SHA-256 of every argument that is a file, by what was typed."""
        found = {}
        for value in self.arguments.values():
            if isinstance(value, str) and value and is_file(root / value):
                with (root / value).open("rb") as stream:
                    found[value] = hashlib.file_digest(stream, "sha256").hexdigest()
        return found


def python_spec(spec: str) -> PythonSpec:
    """Take a spec apart.

    Raises:
        UserError: it is not written so.
    """
    target, _, query = spec.removeprefix(PYTHON).partition("?")
    module, _, factory = target.partition(":")
    if not module or not factory:
        raise UserError(f"{spec}: write python:package.module:factory, where factory() returns a predictor.")
    arguments: dict[str, Value] = {}
    for part in filter(None, query.split("&")):
        name, given, value = part.partition("=")
        if not given or not name.isidentifier() or name in arguments:
            raise UserError(
                f"{spec}: {part!r} is no argument, or one that is given twice; write ?weights=best.pt&alpha=.3, "
                "and %26 for an & in a value."
            )
        arguments[name] = _value(unquote(value))
    return PythonSpec(module, factory, arguments)


def _value(text: str) -> Value:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
