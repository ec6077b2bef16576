"""Models asked in turns, each right after a product that never changes.

One call after another, and not one model after another: another process that takes the core for a while then slows
neighbours alike. A product stands before each call, so that no model finds the caches as another one left them.
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

ROUNDS = 30
"""Enough for an interval that the ten largest and the ten smallest rounds do not touch; see `latency.change`."""
FEWEST_CALLS, MOST_CALLS = 4, 40
_WARM_UP = 2

Call = Callable[[], Any]


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch and of BLAS: several would time how many other processes the machine runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage is collected in between."""
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def seconds_of(call: Call) -> float:
    """How long one call takes, by the wall clock."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


_ROWS = 320
"""Of a product at least: one of five rows took 1.6 times as long in some processes as in others."""


class Reference:
    """A float32 product of frames with a fixed matrix, repeated until it lasts about as long as a model's call.

    Args:
        contexts: (B, C, D) that the models are asked for.
        model: a call of the candidate.
    """

    def __init__(self, contexts: Float[np.ndarray, "b c d"], model: Call) -> None:
        frames = contexts.reshape(-1, contexts.shape[2])
        self._left = np.resize(frames, (max(_ROWS, len(frames)), contexts.shape[2]))
        self._right = np.random.default_rng(0).standard_normal((contexts.shape[2], 512), dtype=np.float32)
        self.times = 1
        for _ in range(_WARM_UP):
            model()
            self()
        once = min(seconds_of(self) for _ in range(5))
        self.times = max(1, round(min(seconds_of(model) for _ in range(5)) / once))

    def __call__(self) -> None:
        """All of them."""
        for _ in range(self.times):
            _ = self._left @ self._right


def calls_a_round(calls: Sequence[Call], seconds: float) -> int:
    """How often each is called in a round, so that `ROUNDS` of them take about ``seconds`` in all."""
    turn = sum(min(seconds_of(call) for _ in range(3)) for call in calls)
    return int(np.clip(round(seconds / (ROUNDS * turn)), FEWEST_CALLS, MOST_CALLS))


class Turns:
    """The calls of one measurement; who times the candidate's call may be somebody else.

    A turn is a call of each model, in an order that is drawn, and begins with a pause of products or without, which is
    drawn too: a scheduler that takes the core away every few milliseconds would fall into step with turns that are all
    alike, and into one model's calls more than into the other's.

    Args:
        products: stand before every call.
        times: how many products they are.
        models: one or two; the last one is the candidate.
    """

    def __init__(self, products: Call, times: int, models: Sequence[Call]) -> None:
        self._products, self._times = products, times
        self._candidate, self._accepted = models[-1], models[:-1]
        self._drawn, self._owed = np.random.default_rng(0), False
        self.products: list[list[float]] = [[] for _ in models]
        self.seconds: list[list[float]] = [[] for _ in models]

    def before(self) -> None:
        """All that comes before the candidate's call."""
        self.finish()
        if self._drawn.random() < 0.5:
            self._products()
        self._owed = bool(self._accepted)
        if self._drawn.random() < 0.5:
            self.finish()
        self._product(-1)

    def finish(self) -> None:
        """What the turn still owes after the candidate's call."""
        if self._owed:
            self._product(0)
            self.seconds[0].append(seconds_of(self._accepted[0]))
        self._owed = False

    def take(self, count: int) -> None:
        """So many whole turns."""
        for _ in range(count):
            self.before()
            self.seconds[-1].append(seconds_of(self._candidate))

    def _product(self, model: int) -> None:
        self.products[model].append(seconds_of(self._products) / self._times)
