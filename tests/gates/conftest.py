"""A small corpus and a way to run the gates on it, in this process or as a user would."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci.schema import check
from lvm_gates.gates.options import OPTION_NAMES
from lvm_gates.gates.session import open_run
from lvm_gates.harness.judging.session import GateRun
from lvm_gates.harness.worlds.world import synthesise

ROOT = Path(__file__).resolve().parents[2]
# Hypothesis loads itself, a second of computing, to say at the end of each session that it has nothing to say.
LEFT_OUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
DEFAULTS = {
    "profile": "5cat",
    "task": "frontier",
    "require": "strict",
    "max_samples": 200,
    "horizon": 5,
    "seed": 0,
    "device": "cpu",
    "batch_size": 256,
    "batch_timeout": 60.0,
    "in_process": False,
}


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the user's cache is read or written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVM_GATES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="session")
def arrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic dataset `arrow`, small: an oracle and the optimum pass on it, degenerate predictors fail."""
    folder = tmp_path_factory.mktemp("worlds") / "arrow"
    synthesise("arrow", folder, articles=60, dim=32, seed=1)
    return folder


@pytest.fixture(scope="session")
def observe_all(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """What a session with `DEFAULTS` over a corpus leaves for its other processes: controls, audits, leaks, rivals."""

    def observe(corpus: Path) -> Path:
        folder = tmp_path_factory.mktemp("observed")
        given = dict.fromkeys(OPTION_NAMES) | DEFAULTS | {"model": ["control:oracle"], "corpus": str(corpus)}
        open_run(given, folder, folder).prepare()
        return folder

    return observe


@pytest.fixture(scope="session")
def observed(observe_all: Callable[[Path], Path], arrow: Path) -> Path:
    """The same over dataset `arrow`."""
    return observe_all(arrow)


@pytest.fixture
def make_run(tmp_path: Path, arrow: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., GateRun]]:
    """A run in this process; keyword arguments are options by name, and `predictors` can be imported.

    ``beside`` is the folder of another session of which this is one process more: what is there is not made again.
    """
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    made: list[GateRun] = []

    def make(*models: str, beside: Path | None = None, **options: object) -> GateRun:
        if beside:
            shutil.copytree(beside, tmp_path, dirs_exist_ok=True)
        given = dict.fromkeys(OPTION_NAMES) | DEFAULTS | {"model": list(models), "corpus": str(arrow)} | options
        made.append(open_run(given, tmp_path, tmp_path))
        return made[-1]

    yield make
    for run in made:
        run.close()


def _run_gates(
    *arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", str(ROOT / "gates"), "-q", *LEFT_OUT, *arguments]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    for report in (cwd / one.removeprefix("--report=") for one in arguments if one.startswith("--report=")):
        if (report / "scorecard.json").is_file():
            check(json.loads((report / "scorecard.json").read_text()))
    return done


@pytest.fixture(scope="session")
def run_gates() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`pytest gates/ ARGUMENTS`, as a user types it."""
    return _run_gates
