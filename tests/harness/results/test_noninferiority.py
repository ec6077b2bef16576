"""The interval decides: not worse, worse, or undecided with the number of articles that would decide."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, t_quantile
from lvm_gates.harness.results.noninferiority import MOST_ARTICLES, articles_to_decide, judge
from lvm_gates.harness.results.paired import Difference, detectable_errors
from lvm_gates.harness.results.policy import MetricRule

RULE = MetricRule(metric="cosine", tier="critical", margin=0.01)
LOWER = MetricRule(metric="shuffle", tier="critical", margin=0.01, better="lower")


def difference(value, half, *, articles=30, first=0.5, metric="cosine"):
    estimate = Estimate(value, value - half, value + half, 600, articles, articles - 1.0)
    return Difference(metric, first, first + value, estimate)


@pytest.mark.parametrize(
    ("value", "half", "outcome"),
    [
        (0.0, 0.009, "not worse"),
        (-0.005, 0.004, "not worse"),  # a loss that is certain, and within the margin
        (-0.005, 0.006, "undecided"),
        (0.0, 0.02, "undecided"),  # not significant is no proof
        (-0.012, 0.004, "undecided"),  # significant, but perhaps within the margin
        (-0.02, 0.009, "worse"),
        (0.5, 0.1, "not worse"),
        (-0.028, 0.003, "worse"),
    ],
)
def test_the_interval_decides(value, half, outcome):
    found = judge(difference(value, half), "VAL", RULE)
    assert found.outcome == outcome
    mirrored = judge(difference(-value, half, metric="shuffle"), "VAL", LOWER)
    assert mirrored.outcome == outcome
    assert mirrored.articles_wanted == found.articles_wanted
    assert (found.articles_wanted is not None) == (outcome == "undecided")


def test_a_candidate_without_a_value_is_worse():
    found = judge(Difference("cosine", 0.5, math.nan, UNDEFINED), "OOD", RULE)
    assert (found.outcome, found.note) == ("worse", "the candidate's is not defined")


def test_few_articles_are_undecided_and_ten_are_asked_for():
    few = Difference("cosine", 0.5, 0.1, Estimate(-0.4, math.nan, math.nan, 100, 7))
    found = judge(few, "VAL", RULE)
    assert (found.outcome, found.articles_wanted) == ("undecided", 10)
    assert found.note == "7 articles, at least 10 are needed"


@given(st.floats(0.001, 1.0), st.floats(1e-3, 0.5), st.integers(10, 300))
def test_as_many_articles_as_are_named_decide_and_one_less_does_not(distance, half, articles):
    estimate = difference(0.0, half, articles=articles).estimate
    wanted = articles_to_decide(estimate, distance)

    def reach(n):
        return detectable_errors(estimate.df * n / articles) * estimate.error * math.sqrt(articles / n)

    if wanted is None:
        assert reach(MOST_ARTICLES) > distance
    else:
        assert reach(wanted) <= distance
        assert wanted == 10 or reach(wanted - 1) > distance


def test_at_the_margin_itself_no_number_of_articles_decides():
    found = judge(difference(-0.01, 0.005), "VAL", RULE)
    assert (found.outcome, found.articles_wanted) == ("undecided", None)


def test_four_times_as_many_articles_halve_what_decides():
    estimate = difference(0.0, 0.02, articles=200).estimate
    one, four = articles_to_decide(estimate, 0.01), articles_to_decide(estimate, 0.005)
    assert four == pytest.approx(4 * one, rel=0.02)


def test_the_named_number_decides_four_times_in_five():
    """Simulated: articles of equal size, a candidate that is truly .004 worse, margin .01."""
    rng, truth, spread = np.random.default_rng(0), -0.004, 0.02
    articles = 30
    error = spread / math.sqrt(articles)
    half = t_quantile(articles - 1.0) * error
    wanted = articles_to_decide(difference(truth, half, articles=articles).estimate, truth + RULE.margin)
    draws = rng.normal(truth, spread, (4000, wanted))
    low = draws.mean(axis=1) - t_quantile(wanted - 1.0) * draws.std(axis=1, ddof=1) / math.sqrt(wanted)
    assert 0.78 <= np.mean(low > -RULE.margin) <= 0.84
