"""What every program says of itself."""

from importlib.metadata import version

import pytest
from click.testing import CliRunner

from lvm_gates.gates.command import main as lvm_gate
from lvm_gates.harness.cli.data import main as lvm_data
from lvm_gates.harness.cli.report import main as lvm_report
from lvm_gates.trainers.cli import main as lvm_train

PROGRAMS = {"lvm-gate": lvm_gate, "lvm-train": lvm_train, "lvm-data": lvm_data, "lvm-report": lvm_report}


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_says_its_version(name):
    result = CliRunner().invoke(PROGRAMS[name], ["--version"], prog_name=name)
    assert (result.exit_code, result.output) == (0, f"{name}, version {version('lvm-gates')}\n")


@pytest.mark.parametrize("name", ["lvm-train", "lvm-data", "lvm-report"])
def test_no_summary_of_a_command_is_cut_short(name):
    program = PROGRAMS[name]
    output = CliRunner().invoke(program, ["--help"], prog_name=name).output
    assert max(map(len, output.splitlines())) <= 80
    listed = " ".join(output.partition("Commands:\n")[2].split())
    assert "..." not in listed
    for command in program.commands.values():
        assert f"{command.name} {command.get_short_help_str(10_000)}" in listed
