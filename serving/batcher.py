"""Requests that wait together are predicted together; one alone waits for nobody.

The model answers one batch at a time, in a thread of its own. While it does, requests gather, and the next batch takes
what has gathered: no timer delays the first, and the busier the server the larger its batches. A prediction depends on
its own context only (the gate checks that), so that a batch gives what each request alone would have given.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

Contexts = Float[np.ndarray, "b c d"]
Predictions = Float[np.ndarray, "b d"]


@dataclass
class _Waiting:
    contexts: Contexts
    answer: "asyncio.Future[Predictions]"


@dataclass
class Batcher:
    """Puts requests to one model together.

    Attributes:
        predict: the model; called in one thread, with contexts of one shape.
        most: contexts of one batch; a request that has more makes a batch of its own.
        told: called with the size of each batch.
    """

    predict: Callable[[Contexts], Predictions]
    most: int
    told: Callable[[int], None] = lambda size: None
    _waiting: list[_Waiting] = field(default_factory=list)
    _worker: "asyncio.Task[None] | None" = None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "model"))

    async def ask(self, contexts: Contexts) -> Predictions:
        """(B, D) predictions of (B, C, D) contexts.

        Raises:
            Exception: whatever the model raised; it is raised to every request of the batch.
        """
        waiting = _Waiting(contexts, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await waiting.answer

    @property
    def queued(self) -> int:
        """Contexts that wait for their batch."""
        return sum(len(each.contexts) for each in self._waiting)

    async def close(self) -> None:
        """Answer what is waiting, then give the thread back."""
        if self._worker is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        while self._waiting:
            batch = self._next()
            # Who has gone away (a deadline, a closed connection) is not worked for.
            batch = [each for each in batch if not each.answer.done()]
            if not batch:
                continue
            contexts = np.concatenate([each.contexts for each in batch]) if len(batch) > 1 else batch[0].contexts
            try:
                found = await asyncio.get_running_loop().run_in_executor(self._thread, self.predict, contexts)
            except Exception as error:
                for each in batch:
                    if not each.answer.done():
                        each.answer.set_exception(error)
                continue
            self.told(len(contexts))
            begin = 0
            for each in batch:
                end = begin + len(each.contexts)
                if not each.answer.done():
                    each.answer.set_result(found[begin:end])
                begin = end

    def _next(self) -> list[_Waiting]:
        """The requests that waited longest, as many as fit one batch; one at least, and all of one shape."""
        size, count, shape = 0, 0, self._waiting[0].contexts.shape[1:]
        for each in self._waiting:
            fits = size + len(each.contexts) <= self.most and each.contexts.shape[1:] == shape
            if count and not fits:
                break
            size, count = size + len(each.contexts), count + 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch
