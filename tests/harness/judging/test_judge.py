"""One metric against one limit: where it is taken from, what makes it inconclusive, and how it is told."""

from typing import Any

import numpy as np
import pytest

from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.base.metric_text import metric_text
from lvm_gates.harness.judging.judge import judge_gate, show_offset
from lvm_gates.harness.judging.profile import Profile, Threshold
from lvm_gates.harness.statistics.split import BySplit


class Statistics(BySplit[Any], frozen=True, kw_only=True):
    """Metrics of each split, and beside them one of both."""

    a: Any


COUNTS = {"n": 100, "articles": 20}


def checks_of(metric, comparison="at_least", limit=0.5, *, split="VAL", interval=True, counts=COUNTS, other=COUNTS):
    threshold = Threshold("G", "a.b", "metric", comparison, {split: limit}, "a source", interval=interval)
    profile = Profile("p", 1, "5cat", True, True, 30, 10, (threshold,))
    nested = {"a": {"b": metric}}
    both = {"VAL": dict(counts), "OOD": dict(other)}
    both |= {} if split == "BOTH" else {split: both[split] | nested}
    return judge_gate("G", Statistics(val=both["VAL"], ood=both["OOD"], a=nested["a"]), profile)


def judged(*given, **more):
    (check,) = checks_of(*given, **more)
    return check


def metric(value=0.5, low=0.4, high=0.6, n=100, articles=20):
    return Estimate(value, low, high, n, articles)


@pytest.mark.parametrize(
    ("comparison", "passing", "failing"),
    [
        ("at_least", (0.5, 0.1, 0.9), (0.4999, 0.49, 0.9)),
        ("at_most", (0.5, 0.1, 0.9), (0.5001, 0.1, 0.52)),
        ("low_above", (0.7, 0.5001, 0.9), (0.7, 0.5, 0.9)),
        ("high_below", (0.3, 0.1, 0.4999), (0.3, 0.1, 0.5)),
    ],
)
def test_each_comparison_looks_at_its_own_end(comparison, passing, failing):
    assert judged(metric(*passing), comparison).passed is True
    failed = judged(metric(*failing), comparison)
    assert failed.passed is False
    assert failed.note == ""


@pytest.mark.parametrize("comparison", ["at_least", "at_most", "low_above", "high_below"])
def test_what_is_too_few_or_undefined_passes_nothing_and_says_why(comparison):
    good = 9.0 if comparison in ("at_least", "low_above") else -9.0
    fine = metric(good, good - 0.1, good + 0.1)
    assert judged(fine.replace(n=30, articles=10), comparison).passed
    for spoiled, note in [
        (fine.replace(n=29), "inconclusive: 29 windows, at least 30 are needed"),
        (fine.replace(articles=9), "inconclusive: 9 articles, at least 10 are needed"),
        (fine.replace(articles=1), "inconclusive: 1 article, at least 10 are needed"),
        (fine.replace(value=np.nan), "undefined: not every prediction is finite"),
        (fine.replace(low=np.nan, high=np.nan), "inconclusive: no interval is defined"),
        # The first of several is told.
        (fine.replace(n=0, articles=0, value=np.nan), "inconclusive: 0 windows, at least 30 are needed"),
    ]:
        check = judged(spoiled, comparison)
        assert (check.passed, check.note) == (False, note)
        assert check.sentence().endswith(f"; {note}")


def test_a_metric_that_has_no_interval_by_nature_is_judged_by_its_value():
    bare = metric(low=np.nan, high=np.nan)
    assert judged(bare, interval=False).passed
    assert not judged(bare.replace(value=0.4), interval=False).passed
    assert not judged(bare).passed


@pytest.mark.parametrize("split", ["VAL", "OOD"])
def test_a_plain_number_has_the_windows_and_articles_of_its_split(split):
    few = {"n": 31, "articles": 11}
    counts = {"counts": few} if split == "VAL" else {"other": few}
    check = judged(0.6, split=split, interval=False, **counts)
    assert (check.metric.n, check.metric.articles, check.metric.value) == (31, 11, 0.6)
    assert check.passed
    assert np.isnan(check.metric.low)
    undefined = judged(None, split=split, interval=False, **counts)
    assert undefined.note == "undefined: not every prediction is finite"
    unknown = judged(0.6, split=split, interval=False, counts={}, other={})
    assert (unknown.metric.n, unknown.metric.articles, unknown.passed) == (0, 0, False)


@pytest.mark.parametrize(("val", "ood"), [((40, 12), (50, 11)), ((50, 11), (40, 12))])
def test_a_number_of_both_splits_has_the_counts_of_the_smaller(val, ood):
    given = {"counts": dict(zip(("n", "articles"), val, strict=True)), "other": dict(zip(COUNTS, ood, strict=True))}
    check = judged(0.6, split="BOTH", interval=False, **given)
    assert (check.split, check.metric.n, check.metric.articles) == ("BOTH", 40, 11)
    # An estimate that knows its articles keeps them; one that does not gets those of the split.
    assert judged(metric(), split="BOTH", **given).metric.articles == 20
    assert judged(metric(articles=0), split="BOTH", **given).metric.articles == 11


def test_a_check_says_metric_interval_n_and_limit():
    check = judged(metric(0.5124, 0.4981, 0.5262, 3185))
    assert (check.gate, check.split, check.label, check.limit, check.source) == ("G", "VAL", "metric", 0.5, "a source")
    assert check.sentence() == "metric on VAL = +0.512 [+0.498, +0.526], n = 3,185, wanted >= +0.5"
    assert [judged(metric(), c).relation for c in ("at_least", "at_most", "low_above", "high_below")] == [
        ">=",
        "<=",
        "lower bound >",
        "upper bound <",
    ]


def test_a_metric_is_shown_with_what_is_known_of_it():
    assert metric_text(metric(-0.5, -0.6, -0.4, 7), signed=True, count=True) == "-0.500 [-0.600, -0.400], n = 7"
    assert metric_text(metric(low=np.nan, high=np.nan), signed=True, count=True) == "+0.500, n = 100"
    assert metric_text(metric(np.nan), count=True) == "undefined, n = 100"
    assert [show_offset(k) for k in (None, -1, 0, 2)] == ["no offset", "k=-1", "k=0", "k=+2"]
