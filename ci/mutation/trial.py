"""One mutant tried: written into a copy of the project, its tests run in a process forked from one that is warm.

Importing torch, scipy and faiss takes ten times as long as the tests of a statistic, so they are imported once, here,
and every trial starts from a fork. The modules of the project are imported by each fork anew.
"""

import contextlib
import gc
import importlib
import os
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

# What the tests of the engine load and no mutant can change. Nothing that is a plugin of pytest: it wants to rewrite
# the assertions of those itself, and says so with a warning.
_WARM = (
    *("numpy", "scipy.stats", "scipy.linalg", "scipy.optimize", "scipy.sparse.csgraph", "torch", "faiss", "pytest"),
    *("msgspec", "click", "filelock"),
)
_LEFT_BEHIND = ("__pycache__", ".*", "runs", "build", "*.egg-info")
SHAPES = "--jaxtyping-packages=lvm_gates.harness,lvm_gates.models,lvm_gates.trainers,beartype.beartype"

Fate = Literal["killed", "timed out", "survived"]


@dataclass(frozen=True)
class Trial:
    """How the tests ended.

    Attributes:
        fate: "killed" if one failed, "timed out" if they did not end in time, else "survived".
        killer: the first test that failed, as pytest names it.
        seconds: by the clock.
    """

    fate: Fate
    killer: str
    seconds: float


class Copy:
    """A copy of the project that is broken and mended again; the project itself is only read."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.root = folder / "copy"
        shutil.copytree(project, self.root, symlinks=True, ignore=shutil.ignore_patterns(*_LEFT_BEHIND))
        # Python tells a stale .pyc by the second and the size of its source, and two mutants share both; so every
        # version of a file gets a second of its own.
        self._clock = int(time.time()) - 1_000_000

    def trial(self, module: str, source: str, tests: Sequence[str], limit: float, *, shapes: bool = False) -> Trial:
        """Run ``tests`` with ``module`` replaced by ``source``.

        Args:
            module: path from the root of the project.
            source: what it holds during the trial.
            tests: paths, or names of tests as pytest gives them.
            limit: seconds after which the trial is stopped.
            shapes: whether shapes and types are checked, as in CI; preparing that takes longer than most tests.
        """
        sound = (self.root / module).read_text()
        self._write(module, source)
        try:
            return self._run([SHAPES, *tests] if shapes else tests, limit)
        finally:
            self._write(module, sound)

    def _write(self, module: str, source: str) -> None:
        self._clock += 2
        (self.root / module).write_text(source)
        os.utime(self.root / module, (self._clock, self._clock))

    def _run(self, arguments: Sequence[str], limit: float) -> Trial:
        began = time.monotonic()
        told = self.root.parent / "killer"
        told.write_text("")
        with warnings.catch_warnings():
            # From Python 3.12 on: a library may have started a thread that the fork lacks; none holds a lock here.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os.setsid()  # so that what it starts can be stopped with it
            _become_pytest(self.root, arguments, told)
        status = None
        try:
            status = _wait(child, began + limit)
        finally:  # also where the run is interrupted: what a test started may outlive the test
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            if status is None:
                os.waitpid(child, 0)
        seconds = time.monotonic() - began
        if status is None:
            return Trial("timed out", "", seconds)
        # Only "all passed" is survival: a mutant that cannot be imported or that ends the process is noticed too.
        return Trial("survived" if status == 0 else "killed", told.read_text(), seconds)


@contextlib.contextmanager
def copied(project: Path) -> Iterator[Copy]:
    """A copy in a temporary folder, and the libraries in memory."""
    for name in _WARM:
        importlib.import_module(name)
    gc.freeze()  # pytest collects garbage at its end, which takes half a second if all of torch is looked through
    with TemporaryDirectory(prefix="mutation-") as folder:
        yield Copy(project, Path(folder))


def _wait(child: int, until: float) -> int | None:
    """The exit code of a child, negative for a signal; None if it is still running at ``until``."""
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return None


def _become_pytest(root: Path, arguments: Sequence[str], told: Path) -> None:
    """Run pytest in this process, which ends here; the first failure is written to ``told``."""
    import pytest

    class Tell:
        @pytest.hookimpl(tryfirst=True)
        def pytest_collection(self) -> None:
            from hypothesis import Phase, settings

            # One example is enough: looking for a simpler one takes longer than finding it.
            phases = (Phase.explicit, Phase.generate)
            settings.register_profile("mutation", parent=settings(), phases=phases)
            settings.load_profile("mutation")

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed and not told.read_text():
                told.write_text(report.nodeid)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed and not told.read_text():
                told.write_text(report.nodeid)

    status = 70
    # In the copy nothing is in anybody's way, and what no mutant changes need not be compiled for each of them.
    sys.dont_write_bytecode = False
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        os.chdir(root)
        sys.path[:0] = [str(root / "src"), str(root)]
        os.environ |= {
            "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)]),
            "TMPDIR": str(root.parent),
            "CI": "1",  # Hypothesis draws the same examples each time
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        unused = [part for plugin in ("cacheprovider", "xdist", "benchmark") for part in ("-p", f"no:{plugin}")]
        common = ["-x", "-q", *unused, f"--rootdir={root}"]
        status = int(pytest.main([*common, *arguments], plugins=[Tell()]))
    finally:
        os._exit(status)
