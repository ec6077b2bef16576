"""What is refused is hardly ever true, at any moment; what all units say is certain; bounds do not cross."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvm_gates.harness.evaluation.draw_order import DrawOrder
from lvm_gates.harness.statistics.confidence_sequence import (
    Draws,
    difference_exceeds,
    exceeds,
    log_capital,
    lower_bound,
    upper_bound,
)

MEANS = np.linspace(-0.95, 0.95, 21)


def population(rng, articles, *, share=0.3, sizes=None, low=-1.0, high=1.0, middle=0.3, spread=0.3):
    """Values of all windows, and their articles; ``share`` of the variance lies between articles."""
    sizes = rng.integers(1, 30, articles) if sizes is None else np.full(articles, sizes)
    article = np.repeat(np.arange(articles), sizes)
    between = rng.normal(0, np.sqrt(share), articles)[article]
    values = middle + spread * (between + rng.normal(0, np.sqrt(1 - share), len(article)))
    return np.clip(values, low, high), article


def drawn(values, article, order, look=None, *, exists=None, low=-1.0, high=1.0):
    exists = np.ones(len(values), dtype=bool) if exists is None else exists
    look = len(order.cuts) - 1 if look is None else look
    return Draws(*order.sums(values[order.seen(look)], exists, look), order.weights, low, high)


# Numbers alone: what is made of them is made in the test, since shape checks draw random numbers of their own.
some_draws = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32),
        "low": st.sampled_from([-2.0, -1.0, 0.0]),
        "high": st.sampled_from([1.0, 2.0]),
        "spread": st.sampled_from([0.0, 0.1, 3.0]),
        "articles": st.integers(1, 25),
        "share": st.sampled_from([0.3, 1.0]),
        "by": st.sampled_from(["articles", "windows"]),
        "look": st.integers(0, 7),
    }
)


def made(seed, low, high, spread, articles, share, by, look):
    """Draws up to a look, and the values of all windows that have one."""
    rng = np.random.default_rng(seed)
    values, article = population(rng, articles, low=low, high=high, middle=0.1, spread=spread)
    exists = rng.random(len(values)) < share
    exists[0] = True
    order = DrawOrder.of(article, by, rng)
    return drawn(values, article, order, look, exists=exists, low=low, high=high), values[exists]


@settings(max_examples=80, deadline=None)
@given(some_draws)
def test_of_a_larger_mean_the_capital_is_never_larger(values_of):
    draws, _ = made(**values_of)
    capital = log_capital(draws, np.linspace(draws.low, draws.high, 31)[1:-1])
    finite = np.where(np.isinf(capital), 1e9, capital)
    assert (np.diff(finite, axis=0) <= 1e-9).all()


@settings(max_examples=80, deadline=None)
@given(some_draws, st.sampled_from([0.01, 0.0005]))
def test_bounds_are_in_order_and_are_means_that_are_refused(values_of, level):
    draws, values = made(**values_of)
    low, high = lower_bound(draws, level), upper_bound(draws, level)
    assert draws.low <= low <= high <= draws.high
    wider = lower_bound(draws, level / 10), upper_bound(draws, level / 10)
    assert wider[0] <= low
    assert high <= wider[1]
    if low > draws.low:
        assert exceeds(draws, low, level)
    if len(draws.totals) == len(draws.weights):
        assert low == pytest.approx(values.mean(), abs=1e-6)
        assert high == pytest.approx(values.mean(), abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(some_draws)
def test_the_mirror_image_says_the_same_of_the_other_side(values_of):
    draws, _ = made(**values_of)
    assert upper_bound(draws.mirrored, 0.05) == -lower_bound(draws, 0.05)
    assert draws.mirrored.mirrored.low == draws.low


def test_nothing_is_said_before_anything_is_drawn():
    draws = Draws(np.zeros(0), np.ones(5), np.ones(5), -1.0, 1.0)
    assert (lower_bound(draws, 0.05), upper_bound(draws, 0.05)) == (-1.0, 1.0)
    assert not exceeds(draws, 0.0, 0.05)


def test_no_mean_below_the_range_and_every_mean_at_its_top_is_kept():
    draws = Draws(np.ones(5), np.ones(5), np.ones(5), 0.0, 1.0)
    assert exceeds(draws, -0.1, 0.05)
    assert not exceeds(draws, 1.0, 0.05)
    assert exceeds(draws, 0.99, 0.05)


def test_what_the_units_left_cannot_undo_is_certain():
    """Six hits of ten: no more than half can be missed by then, whatever the other four are."""
    draws = Draws(np.ones(6), np.ones(10), np.ones(10), 0.0, 1.0)
    assert np.isinf(log_capital(draws, np.array([0.5999]))[0]).tolist() == [False] * 5 + [True]
    assert not np.isinf(log_capital(draws, np.array([0.6]))).any()


@pytest.mark.parametrize("by", ["articles", "windows"])
@pytest.mark.parametrize("share", [0.1, 0.7])
def test_the_truth_is_refused_in_at_most_a_twentieth_of_the_orders(by, share):
    rng = np.random.default_rng(1)
    refused = []
    for _ in range(800):
        values, article = population(rng, 25, share=share, spread=0.8)  # piles up at both ends of the range
        order = DrawOrder.of(article, by, rng)
        draws = drawn(values, article, order, len(order.cuts) - 2)
        truth = values.mean()
        sides = (draws, truth), (draws.mirrored, -truth)
        refused.append([exceeds(side, mean - less, 0.05) for side, mean in sides for less in (0.0, 0.3)])
    true, true_too, untrue, untrue_too = np.mean(refused, axis=0)[[0, 2, 1, 3]]
    assert max(true, true_too) <= 0.05
    assert min(untrue, untrue_too) > 0.3


def test_a_draw_without_regard_to_size_would_be_noticed():
    """Short articles are the good ones: drawn first they flatter, drawn by size they do not."""
    rng = np.random.default_rng(2)
    sizes = np.repeat([2, 40], 30)
    article = np.repeat(np.arange(60), sizes)
    values = np.where(sizes[article] == 2, 0.9, -0.4) + rng.normal(0, 0.05, len(article))
    truth, wrong, right = values.mean(), 0, 0
    for _ in range(200):
        order = DrawOrder.of(article, "articles", rng)
        right += exceeds(drawn(values, article, order, 6), truth, 0.05)
        place = rng.permutation(60)
        blind = DrawOrder(place[article], sizes[np.argsort(place)].astype(float), (30, 60))
        wrong += exceeds(drawn(values, article, blind, 0), truth, 0.05)
    assert right <= 10 < wrong


def test_a_mean_far_from_the_limit_needs_a_fraction_of_the_articles():
    rng = np.random.default_rng(3)
    values, article = population(rng, 120, share=0.1, sizes=20, middle=0.9, spread=0.2)
    order = DrawOrder.of(article, "articles", rng)
    assert exceeds(drawn(values, article, order, 2), 0.5, 0.05)
    assert not exceeds(drawn(values, article, order, 2).mirrored, -0.5, 0.05)


def test_the_difference_of_two_samples_is_refused_as_rarely():
    rng = np.random.default_rng(4)
    refused = 0
    for _ in range(150):
        pair, looks = [], []
        for middle in (0.5, 0.2):
            values, article = population(rng, 40, sizes=5, middle=middle, spread=0.4)
            order = DrawOrder.of(article, "windows", rng)
            pair.append((drawn(values, article, order, 5), values.mean()))
            looks.append(order.cuts[:6])
        (first, a), (second, b) = pair
        refused += difference_exceeds(first, second, list(zip(*looks, strict=True)), a - b, 0.05)
    assert refused <= 7


def test_a_difference_is_found_from_both_samples_together():
    rng = np.random.default_rng(5)
    pair = []
    for middle in (0.6, 0.5):
        values, article = population(rng, 100, sizes=10, middle=middle, spread=0.1)
        order = DrawOrder.of(article, "windows", rng)
        pair.append(drawn(values, article, order, 2))
    looks = list(zip(order.cuts[:3], order.cuts[:3], strict=True))
    assert difference_exceeds(*pair, looks, 0.03, 0.05)
    assert not difference_exceeds(*pair, looks, 0.12, 0.05)
    assert not difference_exceeds(*pair[::-1], looks, -0.08, 0.05)
    assert difference_exceeds(*pair, looks, -2.5, 0.05)


def test_all_of_both_samples_are_certain_of_their_difference():
    full = Draws(np.full(10, 0.6), np.ones(10), np.ones(10), -1.0, 1.0)
    other = Draws(np.full(10, 0.5), np.ones(10), np.ones(10), -1.0, 1.0)
    assert difference_exceeds(full, other, [(10, 10)], 0.09, 0.001)
    assert not difference_exceeds(full, other, [(10, 10)], 0.1, 0.001)
