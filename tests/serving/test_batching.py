"""Requests that wait together are predicted together, and get what each alone would have got."""

import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.serving.batcher import Batcher


class Recorded:
    """Answers with the last frame, and records the sizes it was asked for; the first batch waits to be let go."""

    def __init__(self, hold=False):
        self.sizes, self.gate = [], threading.Event()
        if not hold:
            self.gate.set()

    def __call__(self, contexts):
        self.sizes.append(len(contexts))
        if len(self.sizes) == 1:
            self.gate.wait(10)
        return contexts[:, -1]


def asked(batcher, counts, model=None):
    """The answers to requests of so many contexts each; all but the first come while it is answered."""

    async def run():
        rng = np.random.default_rng(0)
        contexts = [rng.standard_normal((n, 2, 3)) for n in counts]
        tasks = []
        for each in contexts:
            tasks.append(asyncio.create_task(batcher.ask(each)))
            await asyncio.sleep(0.005 if len(tasks) == 1 else 0)
        if model is not None:
            model.gate.set()
        found = await asyncio.gather(*tasks)
        await batcher.close()
        return contexts, found

    return asyncio.run(run())


@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_each_request_gets_its_own(counts):
    contexts, found = asked(Batcher(Recorded(), most=8), counts)
    for own, answer in zip(contexts, found, strict=True):
        assert np.array_equal(answer, own[:, -1])


def test_what_waits_is_put_together():
    model = Recorded(hold=True)
    asked(Batcher(model, most=64), [1] * 20, model)
    assert model.sizes == [1, 19]


def test_no_batch_is_larger_than_allowed_but_a_single_request():
    model = Recorded(hold=True)
    asked(Batcher(model, most=4), [1, 3, 2, 2, 9, 1], model)
    assert model.sizes == [1, 3, 4, 9, 1]


def test_who_has_gone_is_not_worked_for():
    model = Recorded(hold=True)

    async def run():
        batcher = Batcher(model, most=8)
        first = asyncio.create_task(batcher.ask(np.zeros((1, 2, 3))))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(batcher.ask(np.zeros((5, 2, 3))))
        last = asyncio.create_task(batcher.ask(np.ones((2, 2, 3))))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        assert len(await last) == 2
        await first
        await batcher.close()

    asyncio.run(run())
    assert model.sizes == [1, 2]


def test_a_failure_is_told_to_all_of_a_batch_and_to_no_other():
    calls = []

    def predict(contexts):
        calls.append(len(contexts))
        if len(calls) == 1:
            raise RuntimeError("no")
        return contexts[:, -1]

    async def run():
        batcher = Batcher(predict, most=8)
        with pytest.raises(RuntimeError):
            await batcher.ask(np.zeros((1, 2, 3)))
        assert len(await batcher.ask(np.zeros((2, 2, 3)))) == 2
        await batcher.close()

    asyncio.run(run())
