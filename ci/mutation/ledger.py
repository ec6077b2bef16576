"""What is known of mutants: results of earlier runs, and the survivors that are explained."""

import ast
import hashlib
import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from ci.mutation.mutants import Mutant
from ci.mutation.trial import Trial


@dataclass(frozen=True)
class Target:
    """Modules, and the tests that belong to them.

    Attributes:
        modules: paths from the root of the project.
        tests: what is run for every mutant, the quick and sharp ones first.
        wider: what is run besides, with shapes checked, for a mutant that these let live.
        constants_only: whether only the constants of the modules are changed.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    wider: tuple[str, ...] = ()
    constants_only: bool = False


def read_targets(path: Path) -> dict[str, Target]:
    """Module -> the tests that belong to it, in the order of the file."""
    rows = tomllib.loads(path.read_text())["target"]
    targets = [
        Target(tuple(r["modules"]), tuple(r["tests"]), tuple(r.get("wider", ())), r.get("constants_only", False))
        for r in rows
    ]
    return {module: target for target in targets for module in target.modules}


@dataclass(frozen=True)
class Explained:
    """Why a mutant may live.

    Attributes:
        module: path.
        line: text of the changed line, without indentation.
        mutation: ``old -> new``.
        why: "equivalent: ..." if no test could tell, "accepted: ..." if one could and is not worth having.
    """

    module: str
    line: str
    mutation: str
    why: str

    def fits(self, mutant: Mutant) -> bool:
        """Whether this is about that mutant."""
        return (self.module, self.line, self.mutation) == (mutant.module, mutant.text, mutant.mutation)


def read_explained(path: Path) -> list[Explained]:
    """The entries of ``survivors.toml``."""
    return [Explained(**row) for row in tomllib.loads(path.read_text()).get("survivor", [])]


class Ledger:
    """Results by mutant, kept in a file, each as long as nothing has changed that it rests on.

    A kill rests on the module and on the text of the test that failed; a survival on the module and on every test file.
    What else the tests import is left out of account, or nothing would ever be known: `--fresh` forgets it all.
    """

    def __init__(self, project: Path, path: Path) -> None:
        self._project, self._path = project, path
        self._known: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.is_file() else {}

    def find(self, mutant: Mutant, target: Target) -> Trial | None:
        """The result of an earlier run, if it still holds."""
        row = self._known.get(mutant.key)
        if row is None or not row["rests_on"] or row["rests_on"] != self._rests_on(row["killer"], target):
            return None
        return Trial(row["fate"], row["killer"], 0.0)  # type: ignore[arg-type]

    def killer(self, mutant: Mutant) -> str:
        """The test that killed it the last time, though that may not hold any more; "" if none did."""
        return self._known.get(mutant.key, {}).get("killer", "")

    def add(self, mutant: Mutant, target: Target, trial: Trial) -> None:
        """Remember a result, on disk too."""
        row = {"fate": trial.fate, "killer": trial.killer, "rests_on": self._rests_on(trial.killer, target)}
        self._known[mutant.key] = {**row, "mutant": str(mutant)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".tmp")
        beside.write_text(json.dumps(self._known, indent=0))
        beside.replace(self._path)

    def _rests_on(self, killer: str, target: Target) -> str:
        if killer:
            return _digest_of_test(self._project, killer)
        return _digest_of_files(self._project, (*target.tests, *target.wider))


@cache
def _digest_of_files(project: Path, tests: Sequence[str]) -> str:
    """Of test files, or all in a folder, and of the conftest beside each."""
    found: set[Path] = set()
    for test in tests:
        path = project / test
        found |= set(path.rglob("*.py")) if path.is_dir() else {path}
        found |= set(path.parent.glob("conftest.py"))
    digest = hashlib.blake2b(digest_size=12)
    for file in sorted(found):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def _digest_of_test(project: Path, name: str) -> str:
    """Of the text of one test function, of a whole file that could not be collected; of nothing if it is gone."""
    path, _, function = name.partition("::")
    file, function = project / path, function.rpartition("::")[2].partition("[")[0]
    source = file.read_text() if file.is_file() else ""
    if source and not function:
        return hashlib.blake2b(source.encode(), digest_size=12).hexdigest()
    found = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.name == function]
    text = "".join(ast.get_source_segment(source, n) or "" for n in found)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest() if text else ""


def explanation(mutant: Mutant, explained: Iterable[Explained]) -> Explained | None:
    """The entry about a mutant, if there is one."""
    return next((entry for entry in explained if entry.fits(mutant)), None)


def as_row(mutant: Mutant, why: str) -> str:
    """An entry of ``survivors.toml``, for a person to complete."""
    given = asdict(Explained(mutant.module, mutant.text, mutant.mutation, why))
    return "\n".join(
        ["[[survivor]]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items())]
    )
