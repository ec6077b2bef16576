"""Mutation run: break the engine in one place at a time and see whether its tests notice (docs/mutation.md).

    python -m ci.mutate --count 40                     # a fixed sample, as CI does
    python -m ci.mutate --all --only harness/judging/judge.py  # every mutant of one module
    python -m ci.mutate --table                        # what is known so far, nothing run
    python -m ci.mutate --all --patience 20            # go on; what the clock killed is tried again, for longer

Exit 1 if a mutant lives that ``ci/mutation/survivors.toml`` does not explain.
"""

import hashlib
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

import click

from ci.mutation.ledger import Explained, Ledger, Target, as_row, explanation, read_explained, read_targets
from ci.mutation.mutants import Mutant, mutants_of
from ci.mutation.trial import Copy, Trial, copied

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent / "mutation"
# A mutant may make a loop endless; else a trial takes as long as the sound tests, or a busy machine a few times that.
_PATIENCE, _LEAST, _LONGEST = 5.0, 20.0, 1800.0
COLUMNS = ("mutants", "killed", "explained", "unexplained", "not run")


class UnsoundError(Exception):
    """The tests say nothing: they fail without a mutation, or do not notice that the module is missing."""


class Runner:
    """Tries mutants in a copy of the project, remembering what it finds."""

    def __init__(self, copy: Copy, ledger: Ledger, patience: float | None = None) -> None:
        self._copy, self._ledger = copy, ledger
        self._patience = patience
        self._limits: dict[tuple[tuple[str, ...], bool], float] = {}
        self._noticed: set[str] = set()

    def fate(self, mutant: Mutant, target: Target) -> Trial:
        """What becomes of a mutant: its own tests first, everything that belongs to it only if they let it live."""
        tried = self._ledger.find(mutant, target)
        # Where somebody is patient, what the clock killed is tried again: a busy machine may have been the reason.
        if tried is None or (self._patience and tried.fate == "timed out"):
            tried = self._try(mutant, target)
            self._ledger.add(mutant, target, tried)
        return tried

    def _try(self, mutant: Mutant, target: Target) -> Trial:
        quick = self._limit(mutant.module, target, wide=False)
        if killer := self._ledger.killer(mutant):
            tried = self._copy.trial(mutant.module, mutant.source, [killer], quick)
            if tried.fate == "killed" and tried.killer == killer:
                return tried
        tried = self._copy.trial(mutant.module, mutant.source, target.tests, quick)
        if tried.fate != "survived":
            return tried
        limit = self._limit(mutant.module, target, wide=True)
        return self._copy.trial(mutant.module, mutant.source, [*target.tests, *target.wider], limit, shapes=True)

    def _limit(self, module: str, target: Target, *, wide: bool) -> float:
        """Seconds that a trial may take, from those of the tests on the project as it is."""
        if module not in self._noticed:
            if self._copy.trial(module, "raise ImportError", target.tests, _LONGEST).fate == "survived":
                raise UnsoundError(f"{module}: its tests pass without it; they import another copy, or none")
            self._noticed.add(module)
        tests = (*target.tests, *(target.wider if wide else ()))
        if (tests, wide) not in self._limits:
            sound = self._copy.trial(module, (self._copy.root / module).read_text(), tests, _LONGEST, shapes=wide)
            if sound.fate != "survived":
                raise UnsoundError(f"{module}: its tests fail without any mutation ({sound.killer or sound.fate})")
            self._limits[tests, wide] = (self._patience or _PATIENCE) * sound.seconds + _LEAST
        return self._limits[tests, wide]


def all_mutants(project: Path, targets: Mapping[str, Target]) -> list[Mutant]:
    """Every mutant of some modules."""
    found: list[Mutant] = []
    for module, target in targets.items():
        found += mutants_of(module, (project / module).read_text(), constants_only=target.constants_only)
    return found


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` mutants by a digest of what they change: the rest of the project may change, and it stays the same."""

    def place(mutant: Mutant) -> str:
        return hashlib.blake2b(f"{seed}|{mutant.module}|{mutant.text}|{mutant.mutation}".encode()).hexdigest()

    return sorted(sorted(mutants, key=place)[:count], key=lambda m: (m.module, m.line))


def stale(explained: Iterable[Explained], fates: dict[Mutant, Trial], mutants: Sequence[Mutant]) -> list[str]:
    """Explanations of what is killed now, or is not a mutant any more."""
    found = []
    for entry in explained:
        fitting = [mutant for mutant in mutants if entry.fits(mutant)]
        if not fitting:
            found.append(f"{entry.module}: {entry.mutation}: there is no such mutant any more")
        elif all(mutant in fates and fates[mutant].fate != "survived" for mutant in fitting):
            found.append(f"{entry.module}: {entry.mutation}: is killed by {fates[fitting[0]].killer or 'the clock'}")
    return found


def table(
    mutants: Iterable[Mutant], fates: dict[Mutant, Trial], explained: Sequence[Explained], *, by_room: bool = False
) -> str:
    """Mutants by module, or by the folder that it lies in, and by what became of them."""
    counts: dict[str, Counter[str]] = {}
    for mutant in mutants:
        name = mutant.module.rpartition("/")[0] if by_room else mutant.module
        kinds = [counts.setdefault(one, Counter()) for one in (name, "in all")]
        fate = fates[mutant].fate if mutant in fates else "not run"
        if fate == "survived":
            fate = "explained" if explanation(mutant, explained) else "unexplained"
        for kind in kinds:
            kind.update(["mutants", "killed" if fate == "timed out" else fate])
    counts["in all"] = counts.pop("in all", Counter())
    rows = [f"| {name} | " + " | ".join(f"{kind[c]:,}" for c in COLUMNS) + " |" for name, kind in counts.items()]
    kind_of_row = "room" if by_room else "module"
    return "\n".join([f"| {kind_of_row} | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}", *rows])


@click.command(help=__doc__)
@click.option("--all", "every", is_flag=True, help="Every mutant, not a sample.")
@click.option("--count", default=40, show_default=True, help="Mutants in the sample.")
@click.option("--seed", default=0, show_default=True, help="Which sample.")
@click.option("--only", multiple=True, help="Modules by path; * stands for any letters. May be repeated.")
@click.option("--results", default=ROOT / "runs/mutation.json", type=click.Path(path_type=Path), show_default=True)
@click.option("--fresh", is_flag=True, help="Forget earlier results.")
@click.option("--table", "table_only", is_flag=True, help="Run nothing; show what is known.")
@click.option("--by-room", is_flag=True, help="Sum the table by folder.")
@click.option("--patience", type=float, help="Times as long as the sound tests that a mutant may take [default: 5].")
def main(
    every: bool,
    count: int,
    seed: int,
    only: tuple[str, ...],
    results: Path,
    fresh: bool,
    table_only: bool,
    by_room: bool,
    patience: float | None,
) -> None:
    targets, explained = read_targets(HERE / "targets.toml"), read_explained(HERE / "survivors.toml")
    targets = {m: t for m, t in targets.items() if not only or any(fnmatch(m, pattern) for pattern in only)}
    if not targets:
        raise click.UsageError(f"--only: no module of ci/mutation/targets.toml fits {', '.join(only)}.")
    mutants = all_mutants(ROOT, targets)
    chosen = mutants if every or table_only else sample(mutants, count, seed)
    if fresh:
        results.unlink(missing_ok=True)
    fates: dict[Mutant, Trial] = {}
    if table_only:
        ledger = Ledger(ROOT, results)
        known = ((mutant, ledger.find(mutant, targets[mutant.module])) for mutant in chosen)
        fates = {mutant: trial for mutant, trial in known if trial}
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the copy is removed
        with copied(ROOT) as copy:
            runner = Runner(copy, Ledger(copy.root, results), patience)  # the project may be edited meanwhile
            try:
                for mutant in chosen:
                    fates[mutant] = runner.fate(mutant, targets[mutant.module])
                    click.echo(f"{fates[mutant].fate:9s} {fates[mutant].seconds:5.1f} s  {mutant}")
            except UnsoundError as error:
                raise click.ClickException(str(error)) from error
    alive = [m for m, trial in fates.items() if trial.fate == "survived" and not explanation(m, explained)]
    click.echo("\n" + table(mutants, fates, explained, by_room=by_room))
    for line in stale([e for e in explained if e.module in targets], fates, mutants):
        click.echo(f"stale: {line}")
    if alive:
        click.echo(f"\n{len(alive)} alive and not explained; write the test, or say in survivors.toml why not:\n")
        click.echo("\n".join(as_row(mutant, "") for mutant in alive))
        sys.exit(1)


if __name__ == "__main__":
    main()
