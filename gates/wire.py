"""What a session and its workers tell each other: xdist carries UTF-8 alone, and the name of a file may be none."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

_OPTIONS = "options.json"


def tell_workers(config: pytest.Config, folder: Path, options: Mapping[str, Any]) -> None:
    """Leave the options in the folder that the workers share, and let what xdist sends them be legible."""
    from lvm_gates.harness.base.atomic import write_json
    from lvm_gates.harness.base.visible import visible

    write_json(folder / _OPTIONS, options)
    shown = tuple(visible(str(argument)) for argument in config.invocation_params.args)
    config.invocation_params = replace(config.invocation_params, args=shown)


def told(folder: Path) -> dict[str, Any]:
    """The options of the session, in a worker."""
    return dict(json.loads((folder / _OPTIONS).read_text()))


def gate_property(model: str, gate: str, split: str) -> str:
    """Which gate of which model a test is, for the report that a worker sends."""
    return json.dumps([model, gate, split])


def read_gate_property(value: object) -> tuple[str, str, str]:
    """The other way round."""
    model, gate, split = json.loads(str(value))
    return model, gate, split
