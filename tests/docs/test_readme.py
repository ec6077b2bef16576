"""The README speaks of commands and options that exist."""

import re
from pathlib import Path

import click
import pytest

from lvm_gates.gates.command import main as lvm_gate
from lvm_gates.gates.options import add_options
from lvm_gates.gates.pipeline.command import main as lvm_ci
from lvm_gates.harness.cli.data import main as lvm_data
from lvm_gates.harness.cli.report import main as lvm_report
from lvm_gates.serving.cli import main as lvm_serve
from lvm_gates.trainers.cli import main as lvm_train

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = {
    "lvm-ci": lvm_ci,
    "lvm-gate": lvm_gate,
    "lvm-train": lvm_train,
    "lvm-data": lvm_data,
    "lvm-report": lvm_report,
    "lvm-serve": lvm_serve,
}


def test_options_exist():
    named = set(re.findall(r"`--([a-z-]+)", README))
    assert len(named) > 20
    gates: set[str] = set()
    parser = pytest.Parser(_ispytest=True)
    add_options(parser)
    for option in parser.getgroup("lvm").options:
        gates |= {name.removeprefix("--") for name in option.names()}
    trainers = {
        option.removeprefix("--")
        for command in [*lvm_train.commands.values(), lvm_serve]
        for parameter in command.params
        for option in parameter.opts
    }
    assert named <= gates | trainers


@pytest.mark.parametrize("line", re.findall(r"^(lvm-\w+ .*?)(?:\s+#.*)?$", README, flags=re.MULTILINE))
def test_commands_and_their_options_exist(line):
    program, *rest = line.split()
    command = COMMANDS[program]
    if isinstance(command, click.Group):
        command = command.get_command(click.Context(command), rest.pop(0))
        assert command is not None, line
    own, passed_on = (rest[: rest.index("--")], rest[rest.index("--") + 1 :]) if "--" in rest else (rest, [])
    for words, taker in ((own, command), (passed_on, lvm_gate)):
        known = {option for parameter in taker.params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", README, flags=re.MULTILINE)) <= targets
