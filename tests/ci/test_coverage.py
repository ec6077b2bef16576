"""The intervals cover what they promise, at the smallest number of articles that has any; those of before do not.

The table of docs/intervals.md has more articles, more metrics and more samples.
"""

import numpy as np
import pytest

from ci import coverage_draws as draws
from ci.coverage import above_zero, covered, simulate


def sample(draw, samples, *, articles=10, unequal=True):
    return list(simulate(draw, articles, unequal=unequal, samples=samples))


# What is promised is .95 and 600 samples have a standard error of .009; the intervals of before cover .91 at most here.
@pytest.mark.parametrize(
    ("draw", "least", "most"),
    [
        pytest.param(draws.mean_of(0.2), 0.93, 0.98, id="mean"),
        pytest.param(draws.par, 0.93, 0.98, id="ratio of means"),
        pytest.param(draws.share_of(0.01, 0.05), 0.96, 1.0, id="rare share"),
        pytest.param(draws.delta, 0.93, 0.98, id="difference of independent metrics"),
        pytest.param(draws.retained, 0.93, 0.98, id="ratio of independent metrics"),
    ],
)
def test_ten_articles_of_unequal_size(draw, least, most):
    now, before = covered(sample(draw, 600))
    assert least <= now <= most
    assert not before >= 0.92


def test_f_at_the_frontier_covers_and_is_rarely_above_zero():
    samples = sample(draws.frontier(0.0), 200, unequal=False)
    now, before = covered(samples)
    assert before < 0.93 <= now
    assert above_zero(samples)[0] <= 0.05  # .025 is promised, and 200 samples have a standard error of .011


def test_equal_articles_cover_exactly():
    assert 0.93 <= covered(sample(draws.mean_of(0.2), 600, unequal=False))[0] <= 0.97


@pytest.mark.parametrize("articles", [2, 5, 9])
def test_fewer_than_ten_articles_have_no_interval(articles):
    for one in sample(draws.mean_of(0.2), 3, articles=articles):
        assert np.isfinite(one.now.value)
        assert np.isnan([one.now.low, one.now.high]).all()
        assert one.now.articles == articles


def test_more_samples_extend_fewer():
    few, many = (sample(draws.par, n) for n in (2, 3))
    assert few == many[:2]
