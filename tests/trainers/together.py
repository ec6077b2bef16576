"""Command lines of lvm-train one after another in the processes of one `torchrun`.

Started by `test_several_processes`, as a program.
"""

import json
import sys
from pathlib import Path

import click

from lvm_gates.harness.base.launched import launched
from lvm_gates.harness.cli.together import run_together
from lvm_gates.trainers.cli import main


def run(lines):
    """Train what each line asks for."""
    for line in lines:
        click.Group.main(main, line, standalone_mode=False)


if __name__ == "__main__":
    lines = json.loads(Path(sys.argv[1]).read_text())
    if launched():
        run_together(lambda: run(lines))
    run(lines)
