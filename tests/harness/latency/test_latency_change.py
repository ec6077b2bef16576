"""The interval of a ratio of times, and when it is an alarm."""

import numpy as np
import pytest
from scipy.stats import binom

from lvm_gates.harness.latency.change import (
    LEVEL,
    TOLERANCE,
    changes,
    median_of_rounds,
    milliseconds,
    to_reference,
)
from lvm_gates.harness.latency.records import Latency, Times
from lvm_gates.harness.latency.turns import ROUNDS

CALLS = 20


def times(seconds, products=None, name="model.pt"):
    seconds = np.asarray(seconds, dtype=np.float64)
    products = np.full_like(seconds, 1e-3) if products is None else products
    return Times(name, None, seconds.tolist(), np.asarray(products).tolist())


def pair(old, new):
    return Latency(batch=1, context=5, dim=8, device="cpu", candidate=times(new), accepted=times(old))


def alone(seconds, products=None):
    return Latency(batch=1, context=5, dim=8, device="cpu", candidate=times(seconds, products))


def busy(rng, slower=1.0):
    """Two models' calls on a machine on which rounds run at half to full speed and one call in three has to wait."""
    speed = rng.uniform(1.0, 2.0, (ROUNDS, 1))
    return [
        factor * speed * 1e-3 * np.exp(0.05 * rng.standard_normal((ROUNDS, CALLS)))
        + 8e-3 * (rng.random((ROUNDS, CALLS)) < 0.3) * rng.random((ROUNDS, CALLS))
        for factor in (1.0, slower)
    ]


@pytest.mark.parametrize("rounds", [8, 9, ROUNDS, 31])
def test_the_interval_lies_between_the_order_statistics_that_the_level_allows(rounds):
    found = median_of_rounds(np.arange(rounds, dtype=np.float64)[::-1].copy())
    k = int(found.low) + 1
    assert found.high == rounds - k
    assert found.value == (rounds - 1) / 2
    # It misses if fewer than k rounds lie on one side of the median.
    assert 2 * binom.cdf(k - 1, rounds, 0.5) <= 1 - LEVEL < 2 * binom.cdf(k, rounds, 0.5)


def test_too_few_rounds_say_nothing():
    found = median_of_rounds(np.arange(7.0))
    assert (found.value, found.low, found.high) == (3.0, -np.inf, np.inf)


def test_a_model_half_as_slow_again_is_slower_in_every_metric():
    seconds = np.random.default_rng(0).uniform(1e-3, 1.2e-3, (ROUNDS, CALLS))
    for change in changes(None, pair(seconds, 1.5 * seconds)):
        assert change.ratio.value == pytest.approx(1.5)
        assert change.mark(TOLERANCE) == "SLOWER"
        assert change.candidate == pytest.approx(1.5 * change.accepted)


def test_the_tolerance_alone_divides_slower_undecided_and_ok():
    rng = np.random.default_rng(0)
    p50, _ = changes(None, pair(rng.uniform(1, 2, (ROUNDS, CALLS)), rng.uniform(1.4, 2.8, (ROUNDS, CALLS))))
    low, high = p50.ratio.low, p50.ratio.high
    assert 1.2 < low < p50.ratio.value < high < 1.7
    assert [p50.mark(limit) for limit in (low * 0.999, low, high * 0.999, high)] == [
        "SLOWER",
        "undecided",
        "undecided",
        "ok",
    ]


def test_a_tail_is_seen_by_the_95th_percentile_and_not_by_the_median():
    rng = np.random.default_rng(0)
    old = rng.uniform(1e-3, 1.05e-3, (ROUNDS, CALLS))
    new = old.copy()
    new[:, ::8] *= 3
    marks = {change.quantile: change.mark(TOLERANCE) for change in changes(None, pair(old, new))}
    assert marks == {"p50": "ok", "p95": "SLOWER"}


def test_a_busy_machine_raises_no_alarm_and_hides_no_slow_model():
    rng = np.random.default_rng(0)
    same = [changes(None, pair(*busy(rng))) for _ in range(100)]
    assert not [c for found in same for c in found if c.mark(TOLERANCE) == "SLOWER"]
    slower = [changes(None, pair(*busy(rng, 1.5)))[0].mark(TOLERANCE) for _ in range(20)]
    assert slower.count("SLOWER") == 20


def test_in_two_processes_products_take_out_the_speed_of_the_machine():
    rng = np.random.default_rng(0)
    speed = rng.uniform(1, 1.02, (ROUNDS, CALLS))
    old, new = alone(2e-3 * speed, 1e-3 * speed), alone(6e-3 * speed, 3e-3 * speed)
    for change in changes(old, new):
        assert change.ratio.value == pytest.approx(1.0)
        assert change.mark(TOLERANCE) != "SLOWER"
        assert change.candidate == pytest.approx(3 * change.accepted)


def test_in_two_processes_the_interval_is_never_narrower_than_processes_differ():
    exact = np.full((ROUNDS, CALLS), 1e-3)
    p50, _ = changes(alone(exact), alone(1.5 * exact))
    assert p50.ratio.value == pytest.approx(1.5)
    assert p50.mark(TOLERANCE) == "undecided"
    p50, _ = changes(alone(exact), alone(2.2 * exact))
    assert p50.mark(TOLERANCE) == "SLOWER"


def test_a_model_alone_is_so_many_products():
    one = times(np.full((ROUNDS, CALLS), 3e-3), np.full((ROUNDS, CALLS), 2e-3))
    assert to_reference(one, "p50").value == pytest.approx(1.5)
    assert milliseconds(one, "p95") == pytest.approx(3.0)


def test_nothing_to_compare_with_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        changes(None, alone(np.full((ROUNDS, CALLS), 1e-3)))
