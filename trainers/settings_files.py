"""Settings as text: ``NAME=VALUE`` of a command line, and TOML files, which ``--show-settings`` writes."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lvm_gates.harness.base.errors import UserError
from lvm_gates.trainers.settings import Plain, plain_value, settings_of


def typed_settings(texts: Sequence[str]) -> dict[str, Plain]:
    """``NAME=VALUE`` after ``NAME=VALUE``, the last of a name last.

    Raises:
        UserError: one without a name or a value.
    """
    found: dict[str, Plain] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise UserError(f"--set {text}: is not NAME=VALUE; see --show-settings for the names.")
        found[name.strip()] = value.strip()
    return found


def read_settings(file: Path) -> dict[str, Plain]:
    """Settings of a TOML file by dotted path; tables and dotted keys are the same.

    Raises:
        UserError: no such file, no TOML, or a value that no setting has.
    """
    try:
        content = tomllib.loads(file.read_text())
    except OSError as error:
        raise UserError(f"--settings {file}: cannot be read ({error.strerror}); give a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"--settings {file}: is no TOML ({error}); write lines such as margin.weight = 0.01."
        ) from error
    return _flat(content, file, "")


def _flat(table: Mapping[str, Any], file: Path, prefix: str) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= _flat(value, file, f"{prefix}{name}.")
        elif isinstance(value, bool | int | float | str):
            found[prefix + name] = value
        else:
            raise UserError(f"--settings {file}: {prefix}{name} is {type(value).__name__}; give a number or text.")
    return found


def as_toml(*trees: object) -> str:
    """Every setting with its value and what it is: a file that ``--settings`` reads."""
    found = [one for tree in trees for one in settings_of(tree)]
    # JSON spells numbers, truth values and text as TOML does.
    lines = [f"{one.path} = {json.dumps('none' if one.value is None else plain_value(one.value))}" for one in found]
    width = max(map(len, lines), default=0)
    return "\n".join(
        f"{line:{width}}  # {one.about}" if one.about else line for line, one in zip(lines, found, strict=True)
    )
