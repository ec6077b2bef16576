"""One scorecard however many processes make it: ``python -m ci.processes``.

The same session by one process and by several that `torchrun` starts, on windows and banks that do not divide; then
one of whose processes is killed, and one with a mistake in it. Ends with 1 where a bit differs, or where such an end is
not said once.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from jaxtyping import Float

from lvm_gates.gates.together import ENDED
from lvm_gates.harness.worlds.world import synthesise

ROOT = Path(__file__).resolve().parents[1]
GATE = ("-m", "lvm_gates.gates.command")
# Different in any two sessions.
_OWN = {"/report_id", "/created", "/arguments"}


class DiesInTheLast:
    """A model that kills the last process of a session, as the system does where memory runs out."""

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        """See `harness.predictors.predictor.Predictor`."""
        if int(os.environ["RANK"]) + 1 == int(os.environ["WORLD_SIZE"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return contexts[:, -1]


def launch(
    processes: int, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command by so many processes, one thread each; without `torchrun` where it is one."""
    starter = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [sys.executable, *(starter if processes > 1 else []), *arguments],
        cwd=cwd,
        env={**(env or os.environ), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def arrays(report: Path) -> dict[str, np.ndarray]:
    """What ``samples.npz`` holds, but for the report's own number."""
    with np.load(report / "samples.npz", allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files if name != "report_id"}


def differences(first: Path, second: Path) -> list[str]:
    """Where two reports differ by as much as a bit."""
    one, other = (json.loads((folder / "scorecard.json").read_text()) for folder in (first, second))
    found = [place for place in _unequal(one, other, "") if not place.startswith(tuple(_OWN))]
    ours, theirs = arrays(first), arrays(second)
    if ours.keys() != theirs.keys():
        found.append("samples.npz")
    same = (name for name in ours.keys() & theirs.keys() if ours[name].tobytes() != theirs[name].tobytes())
    return found + sorted(same)


def _unequal(one: Any, other: Any, place: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in _unequal(one[key], other[key], f"{place}/{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [found for i, two in enumerate(zip(one, other, strict=True)) for found in _unequal(*two, f"{place}/{i}")]
    return [] if one == other else [place]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--processes", multiple=True, type=click.IntRange(min=2), default=(2, 3, 4, 7), show_default=True)
def main(processes: Sequence[int]) -> None:
    """Gate a network by one process and by several, and compare what they write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        faults = _sessions(folder, processes) + _ends(folder, min(processes))
    for fault in faults:
        click.echo(fault)
    sys.exit(bool(faults))


def _sessions(folder: Path, processes: Sequence[int]) -> list[str]:
    synthesise("arrow", folder / "corpus", articles=150, dim=32, seed=1)
    size = ["--width", "16", "--layers", "1", "--heads", "2", "--epochs", "1", "--sentinel", "off"]
    trained = launch(1, "-m", "lvm_gates.trainers.cli", "p1", "--corpus", "corpus", "--out", "run", *size, cwd=folder)
    if trained.returncode:
        return [trained.stderr]
    faults = []
    for count in (1, *processes):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        options = ["--corpus=corpus", "--bank=all", f"--report=by-{count}", "-q"]
        done = launch(count, *GATE, "run/best_model.pt", *options, cwd=folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if not (folder / f"by-{count}" / "scorecard.json").is_file():
            faults.append(f"{count} processes: no report\n{done.stdout}\n{done.stderr}")
            continue
        unlike = differences(folder / "by-1", folder / f"by-{count}")
        held = len(arrays(folder / f"by-{count}"))
        click.echo(f"{count} processes: {len(unlike)} differences in the scorecard and {held} arrays, {cpu:.0f} CPU s")
        faults += [f"{count} processes differ from one in {place}" for place in unlike]
    return faults


def _ends(folder: Path, count: int) -> list[str]:
    """What is wrong with the ways in which sessions of several processes end early."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    faults = []
    killed = [f"python:ci.processes:{DiesInTheLast.__name__}", "--corpus=corpus", "--in-process"]
    for number, (line, sentence) in enumerate(((killed, ENDED), (["control:oracle", "--corpus=absent"], "absent: "))):
        report = folder / f"ended-{number}"
        done = launch(count, *GATE, *line, f"--report={report}", "-q", cwd=folder, env=env)
        said = (done.stdout + done.stderr).count(sentence)
        click.echo(f"{line[0]} {line[1]}: exit status {done.returncode}, said {said} times")
        if done.returncode == 0 or said != 1 or (report / "scorecard.json").exists():
            faults.append(f"no clean end: {line}\n{done.stdout}\n{done.stderr}")
    return faults


if __name__ == "__main__":
    main()
