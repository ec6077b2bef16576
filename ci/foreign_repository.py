"""The wheel, in a fresh environment, inside somebody else's repository: `python -m ci.foreign_repository`.

Builds the wheel from what git knows of this checkout, looks into it, installs it with what it declares and nothing
more, and gates a checkpoint and a model of that repository's by one command. Ends with an error at what is not so.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import click

from ci.hostile_repository import HOSTILE, files_in, make_repository
from ci.minimal_environment import make_environment

ROOT = Path(__file__).resolve().parents[1]
_DATA = {
    "lvm_gates/py.typed",
    "lvm_gates/gates/session.ini",
    "lvm_gates/harness/report/scorecard.css",
    "lvm_gates/harness/report/scorecard.html.j2",
    "lvm_gates/harness/report/scorecard.js",
    "lvm_gates/harness/judging/profiles/5cat.toml",
    "lvm_gates/harness/judging/profiles/5cat-published.toml",
    "lvm_gates/harness/judging/profiles/skill.toml",
}
_DEVELOPMENT = ("beartype", "hypothesis", "matplotlib", "pytest_benchmark", "mypy", "ruff", "importlinter")


class WrongError(Exception):
    """Something is not as it must be."""


def require(fact: bool, otherwise: str) -> None:
    """Stop unless it is so; `assert` would be silent under -O."""
    if not fact:
        raise WrongError(otherwise)


def build_wheel(folder: Path) -> Path:
    """A wheel of the checkout as git sees it: nothing that an earlier build left behind gets in."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        source, copy = ROOT / name, folder / "source" / name
        if source.is_symlink() or source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    build = [sys.executable, "-m", "pip", "wheel", str(folder / "source"), "--no-deps", "--quiet"]
    subprocess.run([*build, "--disable-pip-version-check", "-w", str(folder / "wheel")], check=True)
    (wheel,) = (folder / "wheel").iterdir()
    return wheel


def check_wheel(wheel: Path) -> None:
    """Every module and every file that is read at run time is in it, as a file, under our one name."""
    with zipfile.ZipFile(wheel) as archive:
        names = {info.filename for info in archive.infolist()}
        links = [info.filename for info in archive.infolist() if (info.external_attr >> 16) & 0o170000 == 0o120000]
    metadata = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    require(not links, f"links in the wheel: {links}")
    require(names >= _DATA, f"not in the wheel: {sorted(_DATA - names)}")
    strange = sorted(name for name in names - metadata if not name.startswith("lvm_gates/"))
    require(not strange, f"outside of lvm_gates/ in the wheel: {strange}")
    for room in ("gates", "harness", "models", "trainers"):
        ours = {f"lvm_gates/{path.relative_to(ROOT)}" for path in (ROOT / room).rglob("*.py")}
        require(ours <= names, f"not in the wheel: {sorted(ours - names)}")
    wrong = sorted(name for name in names if "/tests/" in name or name.endswith(("conftest.py", ".pyc")))
    require(not wrong, f"of no use in the wheel: {wrong}")
    require(
        not any(b"pytest11" in _read(wheel, name) for name in metadata), "an entry point loads us into every session"
    )
    click.echo(f"wheel: {len(names)} files, {wheel.stat().st_size / 1024:.0f} KiB")


def _read(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


class Repository:
    """Theirs, and who works in it with our programs."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs
        self._environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        self._environment |= {**HOSTILE, "LVM_GATES_CACHE": str(folder.parent / "cache")}
        self._environment["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        make_repository(folder)

    def run(self, *command: str, expect: int = 0) -> str:
        """Run a program of the environment there; its output."""
        program = [str(self._programs / command[0]), *command[1:]]
        done = subprocess.run(
            program, cwd=self.folder, env=self._environment, check=False, capture_output=True, text=True
        )
        said = done.stdout + done.stderr
        require(done.returncode == expect, f"{' '.join(command)}: exit {done.returncode}, not {expect}\n{said}")
        return done.stdout


def check_environment(theirs: Repository, environment: Path) -> None:
    """What is imported is the wheel's, and nothing that only development needs is there."""
    found = Path(theirs.run("python", "-P", "-c", "import lvm_gates.gates; print(lvm_gates.gates.__file__)").strip())
    require(found.resolve().is_relative_to(environment.resolve()), f"lvm_gates comes from {found}")
    code = f"from importlib.util import find_spec; print(*filter(find_spec, {_DEVELOPMENT!r}))"
    left = theirs.run("python", "-P", "-c", code).split()
    require(not left, f"what only development needs is installed: {left}")


def check_gates(theirs: Repository) -> None:
    """A checkpoint and a model of theirs by one command; one report, and not a file more."""
    theirs.run("lvm-data", "synth", "--world", "arrow", "--articles", "60", "--dim", "32", "--out", "worlds/arrow")
    size = ("--width", "16", "--layers", "1", "--heads", "2", "--epochs", "1", "--sentinel", "off")
    theirs.run("lvm-train", "p1", "--corpus", "worlds/arrow", "--out", "runs/p1", *size)
    before = files_in(theirs.folder)
    checkpoint, mine = "runs/p1/best_model.pt", "python:models.mine:factory"
    options = ("--corpus=worlds/arrow", "--max-samples=120", "--horizon=3", "--device=cpu")
    theirs.run("lvm-gate", checkpoint, mine, *options, "--report=out", "-q", expect=1)
    verdicts = {m["name"]: m["verdict"] for m in _scorecard(theirs)["models"]}
    require(verdicts == {checkpoint: "blocked", mine: "release"}, f"verdicts: {verdicts}")
    commit = _scorecard(theirs)["revision"]["commit"]
    require(commit is None, f"the commit of their repository is said to be that of the gates: {commit}")
    alone = theirs.run("lvm-gate", mine, *options, "-n", "2", "-q")
    require(f"RELEASE  {mine}" in alone, alone)
    theirs.run("lvm-gate", "absent.pt", expect=4)
    theirs.run("lvm-gate", expect=4)
    report = {"out", *(f"out/{name}" for name in ("scorecard.json", "samples.npz", "scorecard.html"))}
    left = files_in(theirs.folder) - before
    require(left == report, f"left in their repository: {sorted(left - report)}")
    click.echo(f"lvm-gate {checkpoint} {mine}: {verdicts}")


def _scorecard(theirs: Repository) -> dict:
    return json.loads((theirs.folder / "out" / "scorecard.json").read_text())


def main(arguments: Sequence[str] = ()) -> None:
    """See above; the folder to work in may be named, and is kept then."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments[0] if arguments else temporary).resolve()
        wheel = build_wheel(folder)
        check_wheel(wheel)
        theirs_folder = folder / "theirs"
        # Where most people keep it: inside, so that every search upwards from our files ends in their repository.
        environment = theirs_folder / ".venv"
        theirs = Repository(theirs_folder, make_environment(environment, wheel))
        subprocess.run(["git", "init", "--quiet", str(theirs_folder)], check=True)
        author = ("-c", "user.name=they", "-c", "user.email=they@example.org")
        commit = ["git", "-C", str(theirs_folder), *author, "commit", "--quiet", "--allow-empty", "-m", "Theirs"]
        subprocess.run(commit, check=True)
        check_environment(theirs, environment)
        check_gates(theirs)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except WrongError as error:
        sys.exit(f"foreign repository: {error}")
