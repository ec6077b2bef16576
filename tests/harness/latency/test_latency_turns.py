"""Who is called when, and which call's time is kept."""

import gc

import numpy as np
import torch

from lvm_gates.harness.latency import turns as module
from lvm_gates.harness.latency.turns import (
    FEWEST_CALLS,
    MOST_CALLS,
    Reference,
    Turns,
    calls_a_round,
    one_thread,
    undisturbed,
)

CONTEXTS = np.ones((2, 3, 4), dtype=np.float32)


class Clock:
    """Time that passes only in calls."""

    def __init__(self, monkeypatch):
        self.now, self.said = 0.0, []
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)

    def call(self, name, seconds):
        def run():
            self.said.append(name)
            self.now += seconds

        return run


def test_a_product_stands_before_each_call_and_each_time_is_kept(monkeypatch):
    clock = Clock(monkeypatch)
    turns = Turns(clock.call("product", 0.25), 5, [clock.call("old", 1.0), clock.call("new", 2.0)])
    turns.take(3)
    turns.finish()
    assert all(clock.said[i - 1] == "product" for i, name in enumerate(clock.said) if name != "product")
    assert turns.seconds == [[1.0] * 3, [2.0] * 3]
    assert turns.products == [[0.05] * 3, [0.05] * 3], "of one product"


def test_the_order_within_a_turn_is_drawn(monkeypatch):
    clock = Clock(monkeypatch)
    turns = Turns(clock.call("product", 0.25), 1, [clock.call("old", 1.0), clock.call("new", 2.0)])
    turns.take(200)
    turns.finish()
    called = np.reshape([name for name in clock.said if name != "product"], (200, 2))
    assert (np.sort(called, axis=1) == ["new", "old"]).all(), "each turn has both"
    assert 80 < (called[:, 0] == "old").sum() < 120
    assert 480 < clock.said.count("product") < 520, "one before each call, and one more before every other turn"


def test_a_model_alone_takes_turns_with_products(monkeypatch):
    clock = Clock(monkeypatch)
    turns = Turns(clock.call("product", 0.25), 1, [clock.call("new", 2.0)])
    turns.take(20)
    turns.finish()
    assert " ".join(clock.said).replace("product product", "product") == "product new " * 19 + "product new"
    assert turns.seconds == [[2.0] * 20]


def test_somebody_else_may_time_the_candidate(monkeypatch):
    clock = Clock(monkeypatch)
    turns = Turns(clock.call("product", 0.25), 5, [clock.call("old", 1.0), clock.call("new", 2.0)])
    for _ in range(20):
        turns.before()
        clock.said.append("theirs")
    turns.finish()
    assert clock.said.count("theirs") == clock.said.count("old") == 20
    assert "new" not in clock.said
    assert all(clock.said[i - 1] == "product" for i, name in enumerate(clock.said) if name != "product")
    assert (len(turns.seconds[0]), turns.seconds[1]) == (20, [])


def test_products_last_as_long_as_a_call(monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(Reference, "__call__", lambda self: clock.call("product", 0.1 * self.times)())
    assert Reference(CONTEXTS, clock.call("model", 0.72)).times == 7
    assert Reference(CONTEXTS, clock.call("model", 0.001)).times == 1


def test_calls_fill_the_seconds_between_two_bounds(monkeypatch):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(module, "ROUNDS", 10)
    assert calls_a_round([clock.call("a", 0.1), clock.call("b", 0.4)], 50.0) == 10
    assert calls_a_round([clock.call("a", 100.0)], 50.0) == FEWEST_CALLS
    assert calls_a_round([clock.call("a", 1e-6)], 50.0) == MOST_CALLS


def test_threads_and_the_collector_are_as_they_were():
    torch.set_num_threads(2)
    try:
        with one_thread(), undisturbed():
            assert torch.get_num_threads() == 1
            assert not gc.isenabled()
        assert torch.get_num_threads() == 2
        assert gc.isenabled()
    finally:
        torch.set_num_threads(1)
