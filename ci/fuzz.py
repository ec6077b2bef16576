"""Feed damaged and hostile files to the readers, and count what becomes of them.

Every attempt is made from the seed and its number alone, and is read in a process of its own kind: limited in memory
and in time, warnings being errors as they are in a gate session. Nothing but `accepted` and `refused` may happen.
"""

import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import numpy as np

from ci.fuzzing.cases import Case

# As many as the second round of the specification counted; of tables, which came later, a hundred a format.
COUNTS = {"npz": 785, "table": 1000, "checkpoint": 1657, "graph": 600, "scorecard": 335}
# Seconds by the clock after which a process is killed; what is slow is said of each attempt in seconds of computing,
# which do not depend on what else the machine does.
TIME_LIMIT = 120.0
MEMORY_LIMIT = 3 << 30
# What reading a file of less than ten megabytes may add to the memory in use.
GREEDY = 400 << 20
OUTCOMES = ("accepted", "refused", "wrong data", "not one sentence", "traceback", "slow", "memory", "died", "code run")
FINE = ("accepted", "refused")


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt."""

    kind: str
    number: int
    name: str
    outcome: str
    detail: str
    seconds: float = 0.0


def maker(kind: str) -> Callable[[int, np.random.Generator, Path, Path], Case]:
    """The function that makes attempts of one kind."""
    if kind == "npz":
        from ci.fuzzing import npz as module
    elif kind == "table":
        from ci.fuzzing import tables as module  # type: ignore[no-redef]
    elif kind == "graph":
        from ci.fuzzing import graphs as module  # type: ignore[no-redef]
    elif kind == "checkpoint":
        from ci.fuzzing import checkpoints as module  # type: ignore[no-redef]
    else:
        from ci.fuzzing import scorecards as module  # type: ignore[no-redef]
    found: Callable[[int, np.random.Generator, Path, Path], Case] = module.make
    return found


def attempt(kind: str, number: int, seed: int) -> Outcome:
    """Make one attempt and read it, in this process."""
    rng = np.random.default_rng([seed, number, *kind.encode()])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work").mkdir()
        marker = folder / "code-was-run"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about what it is told to save
            case = maker(kind)(number, rng, folder / "work", marker)
        before, start = _memory(reset=True), time.process_time()
        outcome, detail = _read(case)
        seconds, grown = time.process_time() - start, _memory() - before
        if grown > GREEDY:
            outcome, detail = "memory", f"{grown >> 20} MB more; {outcome}: {detail}"
        elif seconds > case.slow:
            outcome, detail = "slow", f"{seconds:.1f} s; {outcome}: {detail}"
        if marker.exists():
            outcome = "code run"
    return Outcome(kind, number, case.name, outcome, detail, seconds)


def _read(case: Case) -> tuple[str, str]:
    from lvm_gates.harness.base.errors import UserError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = case.read()
    except UserError as error:
        if _out_of_memory(error):
            return "memory", str(error)
        said = str(error)
        plain = said.isprintable() and said.endswith((".", ".'")) and len(said) < 600
        return ("refused" if plain else "not one sentence"), said[:2000]
    except MemoryError as error:
        return "memory", repr(error)
    except BaseException:
        return "traceback", traceback.format_exc(limit=-4)
    if case.expected == "refuse" or (case.expected == "same" and found != case.truth):
        return "wrong data", f"was read, expected: {case.expected}"
    return "accepted", ""


def _out_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or "allocate" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _memory(*, reset: bool = False) -> int:
    """The largest resident size since the last reset, in bytes; 0 where the system does not say."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = next(line for line in status.splitlines() if line.startswith("VmRSS" if reset else "VmHWM"))
    return int(line.split()[1]) << 10


def _serve(connection: Connection) -> None:
    """Answer attempts until there are no more."""
    size = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmSize"))
    limit = (int(size.split()[1]) << 10) + MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (given := connection.recv()) is not None:
        connection.send(attempt(*given))


def outcomes(kind: str, numbers: range, seed: int) -> Iterator[Outcome]:
    """Every attempt of one kind; a process that dies or hangs is replaced."""
    fork = multiprocessing.get_context("fork")
    process: Any = None
    for number in numbers:
        if process is None:
            here, there = fork.Pipe()
            process = fork.Process(target=_serve, args=(there,), daemon=True)
            process.start()
            there.close()  # so that its end is the end of the pipe
        here.send((kind, number, seed))
        found: Outcome | None = None
        detail = f"killed after {TIME_LIMIT:.0f} s"
        try:
            found = here.recv() if here.poll(TIME_LIMIT) else None
        except EOFError:
            process.join()
            detail = f"exit code {process.exitcode}"
        if found is None:
            died = detail.startswith("exit")
            process.kill()
            process.join()
            process = None
            found = Outcome(kind, number, "?", "died" if died else "slow", detail)
        yield found
    if process is not None:
        here.send(None)
        process.join()


def table(found: list[Outcome]) -> str:
    """Kinds against outcomes, in Markdown."""
    kinds = list(dict.fromkeys(one.kind for one in found))
    lines = ["| files | attempts | " + " | ".join(OUTCOMES) + " |", "|---" * (len(OUTCOMES) + 2) + "|"]
    for kind in kinds:
        counts = Counter(one.outcome for one in found if one.kind == kind)
        cells = " | ".join(str(counts[outcome]) for outcome in OUTCOMES)
        lines.append(f"| {kind} | {counts.total():,} | {cells} |")
    return "\n".join(lines) + "\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(list(COUNTS)), multiple=True, help="Kinds of file; all by default.")
@click.option("--count", type=click.IntRange(min=1), help=f"Attempts a kind [default: {COUNTS}].")
@click.option("--seed", default=0, show_default=True)
@click.option("--number", type=int, help="One attempt, in this process, told in full.")
@click.option("--pages/--no-pages", default=True, help="Draw the HTML page of some reports, a second each.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the table here.")
def main(
    only: tuple[str, ...], count: int | None, seed: int, number: int | None, pages: bool, out: Path | None
) -> None:
    """Exit 0 only if every attempt was accepted or refused in one sentence."""
    os.environ["FUZZ_PAGES"] = str(int(pages))
    work = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        found = _run(work, only or tuple(COUNTS), count, seed, number)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    click.echo(table(found), nl=False)
    if out is not None:
        out.write_text(table(found))
    sys.exit(any(one.outcome not in FINE for one in found))


def _run(work: Path, kinds: tuple[str, ...], count: int | None, seed: int, number: int | None) -> list[Outcome]:
    os.environ["LVM_GATES_CACHE"] = str(work / "cache")
    tempfile.tempdir = str(work)
    if "scorecard" in kinds:
        from ci.fuzzing.report_files import prepare

        prepare(Path(os.environ.get("FUZZ_REPORTS", work / "reports")))
    found = []
    for kind in kinds:
        attempt(kind, 0, seed)  # imports, so that no attempt is charged with them
        numbers = range(count or COUNTS[kind]) if number is None else range(number, number + 1)
        start = time.perf_counter()
        for one in outcomes(kind, numbers, seed) if number is None else [attempt(kind, number, seed)]:
            found.append(one)
            if one.outcome not in FINE or number is not None:
                click.echo(f"{one.kind} {one.number} [{one.outcome}] {one.name}\n    {one.detail[:2000]}")
        click.echo(f"{kind}: {time.perf_counter() - start:.0f} s", err=True)
    return found


if __name__ == "__main__":
    main()
