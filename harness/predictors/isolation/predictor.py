"""A predictor in a process of its own; it is asked like any other and differs only in its error messages."""

import mmap
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Float, Shaped

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.predictors.isolation.process import EndedError, OverdueError, WorkerProcess, find_python
from lvm_gates.harness.predictors.predictor import check_answer
from lvm_gates.harness.predictors.width import broke

# A batch of 256 contexts of 5 x 768 takes the original transformer, the slowest of the four, .56 s on one
# core (measured). This leaves room for networks of two hundred times its cost, or a machine that is busy with others.
BATCH_SECONDS = 120.0
# Imports and weights: gigabytes from a cold network disk.
START_SECONDS = 300.0


@dataclass(frozen=True)
class Isolation:
    """Where user code runs.

    Attributes:
        python: interpreter as given to ``--python``, None for the session's own.
        batch_seconds: what one call of ``predict`` may take.
        start_seconds: what imports and the factory may take together.
    """

    python: str | None = None
    batch_seconds: float = BATCH_SECONDS
    start_seconds: float = START_SECONDS


class IsolatedPredictor:
    """``module:factory`` behind a process boundary. The process starts with `start`, or with the first question.

    After a failure the process is gone; the next question starts a fresh one.

    Args:
        name: of the model, which every sentence begins with.
        module: to import.
        factory: returns the predictor.
        root: working directory of the process, and where modules are looked up first.
        isolation: interpreter and deadlines.
        arguments: of the factory, by name.

    Attributes:
        assumed: what the process says it took for granted, in words; empty until it is ready.
        files: SHA-256 of the files that module and factory are written in, by path; empty until it is ready.

    Raises:
        UserError: no such interpreter.
    """

    def __init__(
        self,
        name: str,
        module: str,
        factory: str,
        root: Path,
        isolation: Isolation,
        arguments: Mapping[str, str | int | float] | None = None,
    ) -> None:
        self.name = name
        self.assumed: str = ""
        self.files: dict[str, str] = {}
        self._arguments = dict(arguments or {})
        self._module, self._factory, self._root = module, factory, root
        self._isolation = isolation
        self._python = find_python(isolation.python, root)
        self._process: WorkerProcess | None = None
        self._buffer: mmap.mmap | None = None
        self._ready = False
        self._asked = 0

    def start(self) -> WorkerProcess:
        """Start the process unless it runs, without waiting: it imports while the session opens its corpus."""
        if self._process is None:
            self._process = WorkerProcess(self._python, self._module, self._factory, self._root, self._arguments)
            self._buffer, self._ready, self._asked = None, False, 0
            self._at_exit = weakref.finalize(self, self._process.end, kill=True)
        return self._process

    def wait(self) -> None:
        """Wait until the factory has returned.

        Raises:
            UserError: it did not, in time, or returned no predictor.
        """
        process = self.start()
        if self._ready:
            return
        with self._stopping_on_failure():
            limit = self._isolation.start_seconds
            late = (
                f"is not ready after {limit:g} s in its imports and {self._factory}() and was stopped; prepare its "
                "weights beforehand, or allow more with --batch-timeout"
            )
            reply = self._receive(process, limit, late, "before it was ready; it must import and return")
            if "refused" in reply:
                raise UserError(f"{self.name}: {reply['refused']}")
        self.assumed, self.files = reply["assumed"], reply["files"]
        self._ready = True

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Shaped[np.ndarray, "b d"]:
        """Predict the next embedding of each context.

        Args:
            contexts: (B, C, D).

        Returns:
            (B, D), of the kind of number that the predictor returned.

        Raises:
            UserError: no answer, one of another shape or kind, or none in time.
        """
        self.wait()
        with self._stopping_on_failure():
            return self._ask(self.start(), np.ascontiguousarray(contexts, dtype=np.float32))

    def close(self) -> None:
        """End the process, if it runs; exit handlers of the user's code run."""
        self._stop(kill=False)

    def _ask(self, process: WorkerProcess, contexts: Float[np.ndarray, "b c d"]) -> Shaped[np.ndarray, "b d"]:
        rows, _, dim = contexts.shape
        size = max(1, contexts.nbytes + 8 * rows * dim)  # no number that is sent back is wider
        if self._buffer is None or len(self._buffer) < size:
            self._buffer = process.share(size)
        np.ndarray(contexts.shape, np.float32, self._buffer)[...] = contexts
        self._asked += 1
        during = "while predict() was running; it must return"
        try:
            process.send({"id": self._asked, "shape": contexts.shape, "size": len(self._buffer)})
        except EndedError:
            self._fail(process, during)
        limit = self._isolation.batch_seconds
        late = (
            f"predict() did not return {rows} contexts within {limit:g} s and was stopped; "
            "allow more with --batch-timeout, or ask for fewer at once with --batch-size"
        )
        reply = self._receive(process, limit, late, during)
        if "raised" in reply:
            raise UserError(broke(self.name, reply["raised"], contexts.shape))
        check_answer(self.name, tuple(reply["shape"]), reply["dtype"], reply["kind"], contexts.shape)
        # Copied, since the next answer will lie in the same place.
        return np.array(np.ndarray((rows, dim), reply["dtype"], self._buffer, offset=contexts.nbytes))

    def _receive(self, process: WorkerProcess, seconds: float, late: str, during: str) -> dict[str, Any]:
        try:
            reply = process.receive(seconds)
        except OverdueError:
            said = process.end(kill=True).said
            raise UserError(f"{self.name}: {late}{f'; it last printed: {said!r}' if said else ''}.") from None
        except EndedError:
            self._fail(process, during)
        if not isinstance(reply, dict) or reply.get("id") != self._asked:
            self._fail(process, during)
        return reply

    def _fail(self, process: WorkerProcess, during: str) -> NoReturn:
        how, said = process.end(kill=False)
        printed = f"; it last printed: {said!r}" if said else ""
        raise UserError(f"{self.name}: its process {how} {during}{printed}.") from None

    @contextmanager
    def _stopping_on_failure(self) -> Iterator[None]:
        """Whatever goes wrong, Ctrl-C included, a late answer must not be taken for that to the next question."""
        try:
            yield
        except BaseException:
            self._stop(kill=True)
            raise

    def _stop(self, *, kill: bool) -> None:
        if self._process is not None:
            self._at_exit.detach()
            self._process.end(kill=kill)
            self._process = self._buffer = None


def close_isolated(predictors: Iterable[object]) -> None:
    """End the processes of those among ``predictors`` that have one."""
    for predictor in predictors:
        if isinstance(predictor, IsolatedPredictor):
            predictor.close()
