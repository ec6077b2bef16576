"""Compare the ratios of a benchmark run with ``ci/benchmarks/baseline.json``; exit 1 if one has grown too much."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click

from lvm_gates.harness.base.atomic import write_json

BASELINE = Path(__file__).resolve().parent / "benchmarks" / "baseline.json"
# Five runs on two cores that other processes kept busy (load 2.7 to 4) gave ratios at most 1.21 times their smallest
# (opening an NPZ; 1.18 ranking, 1.11 or less the others). Half as much again is beyond that, and still finds work that
# is done twice: an evaluation pass with its forward passes repeated has a ratio of about 2.
LIMIT = 1.5


@dataclass(frozen=True)
class Measured:
    """A ratio, and the rounds whose median it is."""

    ratio: float
    rounds: int


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--baseline", type=click.Path(path_type=Path), default=BASELINE, help="[default: ci/benchmarks/]")
@click.option("--update", is_flag=True, help="Make RUNS the baseline instead of comparing.")
@click.pass_context
def main(ctx: click.Context, runs: tuple[Path, ...], baseline: Path, update: bool) -> None:
    """Compare RUNS with the baseline.

    RUNS are files that `pytest --benchmark-json=FILE` wrote; of several, the median of each ratio counts.
    """
    found = median_of([read_run(run) for run in runs])
    if update:
        ratios = {name: {"ratio": float(f"{m.ratio:.3g}"), "rounds": m.rounds} for name, m in sorted(found.items())}
        write_json(baseline, {"date": datetime.now(UTC).date().isoformat(), "runs": len(runs), "ratios": ratios})
        click.echo(f"{baseline}: {len(ratios)} ratios written")
        return
    wanted = read_baseline(baseline)
    if missing := sorted(wanted.keys() - found.keys()):
        raise click.ClickException(
            f"{runs[0]}: benchmark {missing[0]} did not run; run all of them with `make benchmark`."
        )
    if unknown := sorted(found.keys() - wanted.keys()):
        raise click.ClickException(f"{baseline}: holds no {unknown[0]}; record it with --update.")
    click.echo(table(found, wanted))
    slower = [name for name in wanted if found[name].ratio > LIMIT * wanted[name].ratio]
    if slower:
        click.echo(
            f"slower than {LIMIT} times the baseline: {', '.join(slower)}; run again on an idle machine, then make it "
            "faster or record the new ratio with --update."
        )
        ctx.exit(1)


def read_run(path: Path) -> dict[str, Measured]:
    """The ratios of a pytest-benchmark JSON file, by name."""
    stored = _read(path, "benchmarks", list, "write it with `make benchmark`")
    try:
        return {
            one["name"].removeprefix("test_"): Measured(float(one["extra_info"]["ratio"]), int(one["stats"]["rounds"]))
            for one in stored
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise click.ClickException(
            f"{path}: a benchmark has no ratio ({error}); write the file with `make benchmark`."
        ) from error


def median_of(runs: Sequence[Mapping[str, Measured]]) -> dict[str, Measured]:
    """The median ratio of each benchmark that every run holds."""
    shared = [name for name in runs[0] if all(name in run for run in runs)]
    return {
        name: Measured(median(run[name].ratio for run in runs), min(run[name].rounds for run in runs))
        for name in shared
    }


def read_baseline(path: Path) -> dict[str, Measured]:
    """The ratios to compare with, by name."""
    stored = _read(path, "ratios", dict, "write it with --update")
    try:
        found = {name: Measured(float(one["ratio"]), int(one["rounds"])) for name, one in stored.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise click.ClickException(f"{path}: is no baseline ({error}); write one with --update.") from error
    if senseless := [name for name, one in found.items() if not one.ratio > 0]:
        raise click.ClickException(f"{path}: the ratio of {senseless[0]} is not above 0; write it anew with --update.")
    return found


def table(found: Mapping[str, Measured], wanted: Mapping[str, Measured]) -> str:
    """What was measured beside the baseline, in lines of at most eighty columns."""
    lines = [f"{'ratio to the bare operation':<30} {'now':>9} {'baseline':>9} {'change':>7} {'rounds':>6}  mark"]
    for name, before in wanted.items():
        now, change = found[name], found[name].ratio / before.ratio
        mark = "SLOWER" if change > LIMIT else "ok"
        lines.append(f"{name:<30.30} {now.ratio:>9.3f} {before.ratio:>9.3f} {change:>6.2f}x {now.rounds:>6}  {mark}")
    return "\n".join(lines)


def _read(path: Path, key: str, kind: type, advice: str) -> Any:
    try:
        stored = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path}: cannot be read ({error}); {advice}.") from error
    if not isinstance(stored, dict) or not isinstance(stored.get(key), kind):
        raise click.ClickException(f"{path}: has no {key!r}; {advice}.")
    return stored[key]


if __name__ == "__main__":
    main()
