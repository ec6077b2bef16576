"""`python -m` on a module with a command in it is that command: it never prints nothing and exits 0."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(("program", "target"), PROJECT["scripts"].items())
def test_it_is_the_program(program, target):
    command = [sys.executable, "-m", target.partition(":")[0]]
    helped = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert helped.returncode == 0, helped.stderr
    assert helped.stdout.startswith(f"Usage: {program} ")
    wrong = subprocess.run([*command, "--no-such-option"], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "--no-such-option" in wrong.stderr


@pytest.mark.parametrize("target", PROJECT["scripts"].values())
def test_help_of_every_command_imports_nothing_heavy(target):
    """Each of these takes longer to import than help may take, .3 s."""
    module = target.partition(":")[0]
    code = f"""
import sys
from {module} import main
for name in [[], *([one] for one in getattr(main, "commands", []))]:
    main([*name, "--help"], standalone_mode=False)
print(*{{"faiss", "matplotlib", "numpy", "pytest", "rich", "scipy", "torch"}} & set(sys.modules), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: ")
    assert not done.stderr.strip()
