"""Profiles: every threshold of every profile turns the right way, has a source, and never passes what is undefined."""

import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.base.clusters import MINIMUM_ARTICLES
from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.estimate import Estimate
from lvm_gates.harness.judging.gates import GATES
from lvm_gates.harness.judging.judge import judge_gate
from lvm_gates.harness.judging.profile import BOTH, COMPARISONS, load_profile, profile_names
from lvm_gates.harness.statistics.split import BySplit

CASES = [
    pytest.param(profile, threshold, split, id=f"{name}-{threshold.label}-{split}")
    for name in ("5cat", "5cat-published", "skill")
    for profile in [load_profile(name)]
    for threshold in profile.thresholds
    for split in threshold.limits
]
HIGHER_IS_BETTER = {"at_least": True, "at_most": False, "low_above": True, "high_below": False}


def of_both(name, metric, **by_split):
    """Statistics with a metric of both splits beside those of each."""
    kind = msgspec.defstruct("OfBoth", [(name, Any)], bases=(BySplit,), frozen=True, kw_only=True)
    return kind(**by_split, **{name: metric})


def judge(profile, threshold, split, metric):
    """One metric in its place, compared with one threshold."""
    nested = metric
    first, *rest = threshold.statistic.split(".")
    for key in reversed(rest):
        nested = {key: nested}
    if split == BOTH:
        statistics = of_both(first, nested, val={}, ood={})
    else:
        statistics = BySplit(**{"val": {}, "ood": {}, split.lower(): {first: nested}})
    alone = dataclasses.replace(threshold, limits={split: threshold.limits[split]})
    (check,) = judge_gate(threshold.gate, statistics, dataclasses.replace(profile, thresholds=(alone,)))
    assert (check.split, check.limit, check.label) == (split, threshold.limits[split], threshold.label)
    return check


def test_the_profiles_are_these():
    assert profile_names() == ["5cat", "5cat-published", "skill"]
    assert len(CASES) == 23 + 23 + 17
    assert set(HIGHER_IS_BETTER) == set(COMPARISONS)


@pytest.mark.parametrize(("profile", "threshold", "split"), CASES)
@given(
    offset=st.floats(-1, 1),
    gain=st.floats(0, 1),
    below=st.floats(0, 0.5),
    above=st.floats(0, 0.5),
    n=st.integers(30, 5000),
)
def test_a_better_metric_never_turns_a_pass_into_a_fail(profile, threshold, split, offset, gain, below, above, n):
    limit = threshold.limits[split]
    sign = 1 if HIGHER_IS_BETTER[threshold.comparison] else -1
    value = limit + offset

    def passes(at):
        return judge(profile, threshold, split, Estimate(at, at - below, at + above, n, 30)).passed

    assert passes(value) <= passes(value + sign * gain)
    # Far enough on either side it is decided: the threshold is no ornament.
    assert passes(limit + sign * 5)
    assert not passes(limit - sign * 5)


@pytest.mark.parametrize(("profile", "threshold", "split"), CASES)
def test_the_limit_itself_passes_only_where_the_rule_says_so(profile, threshold, split):
    limit = threshold.limits[split]
    up, down = np.nextafter(limit, 9.0), np.nextafter(limit, -9.0)
    far = {"below": -9.0, "above": 9.0}

    def passes(value, low, high):
        return judge(profile, threshold, split, Estimate(value, low, high, 5000, 30)).passed

    judged = {
        "at_least": [(limit, *far.values()), (down, *far.values())],
        "at_most": [(limit, *far.values()), (up, *far.values())],
        "low_above": [(9.0, up, 10.0), (9.0, limit, 10.0)],
        "high_below": [(-9.0, -10.0, down), (-9.0, -10.0, limit)],
    }[threshold.comparison]
    assert [passes(*metric) for metric in judged] == [True, False]


@pytest.mark.parametrize(("profile", "threshold", "split"), CASES)
def test_undefined_never_passes(profile, threshold, split):
    check = judge(profile, threshold, split, Estimate(np.nan, np.nan, np.nan, 5000, 30))
    assert check.passed is False
    assert "undefined" in check.note
    assert "undefined" in check.sentence()
    good = 9.0 if HIGHER_IS_BETTER[threshold.comparison] else -9.0
    without_interval = judge(profile, threshold, split, Estimate(good, np.nan, np.nan, 5000, 30))
    assert without_interval.passed == (not threshold.interval), "only what has no interval by nature is judged without"


@pytest.mark.parametrize(("profile", "threshold", "split"), CASES)
def test_too_few_windows_are_inconclusive_and_fail(profile, threshold, split):
    good = 9.0 if HIGHER_IS_BETTER[threshold.comparison] else -9.0
    metric = Estimate(good, good, good, profile.minimum_windows, profile.minimum_articles)
    assert judge(profile, threshold, split, metric).passed
    few = judge(profile, threshold, split, metric.replace(n=profile.minimum_windows - 1))
    assert few.passed is False
    assert few.note.startswith("inconclusive")


@pytest.mark.parametrize(("profile", "threshold", "split"), CASES)
def test_too_few_articles_are_inconclusive_and_fail(profile, threshold, split):
    good = 9.0 if HIGHER_IS_BETTER[threshold.comparison] else -9.0
    least = profile.minimum_articles
    few = judge(profile, threshold, split, Estimate(good, good, good, 5000, least - 1))
    assert few.passed is False
    assert few.note == f"inconclusive: {least - 1} articles, at least {least} are needed"


@pytest.mark.parametrize(("profile", "threshold", "split"), CASES)
def test_every_threshold_has_a_source_and_judges_both_splits(profile, threshold, split):
    assert len(threshold.source) > 10
    assert set(threshold.limits) in ({"VAL", "OOD"}, {BOTH})
    if split == "VAL":
        val, ood = threshold.limits["VAL"], threshold.limits["OOD"]
        assert val >= ood if HIGHER_IS_BETTER[threshold.comparison] else val <= ood


def test_thirty_windows_and_ten_articles_are_asked_where_a_model_can_be_released():
    for name in profile_names():
        profile = load_profile(name)
        assert profile.minimum_windows == (30 if profile.can_release else 1)
        assert profile.minimum_articles == (MINIMUM_ARTICLES if profile.can_release else 1)


def test_the_thresholds_are_those_of_the_specification():
    found = {(t.gate, t.statistic): (t.comparison, tuple(t.limits.values())) for t in load_profile("5cat").thresholds}
    assert found == {
        ("A", "c.1"): ("at_least", (0.50, 0.48)),
        ("A", "margin"): ("at_least", (0.12, 0.10)),
        ("B", "article.R@1"): ("at_least", (0.60, 0.55)),
        ("B", "article.R@5"): ("at_least", (0.95, 0.92)),
        ("B", "article.MRR"): ("at_least", (0.80, 0.75)),
        ("C", "shuffle"): ("at_most", (-0.15, -0.15)),
        ("C", "reverse"): ("at_most", (-0.10, -0.10)),
        ("C", "leave_one_out"): ("at_most", (-0.08, -0.08)),
        ("C", "repeat_last"): ("at_most", (0.05, 0.05)),
        ("C", "cross_article"): ("at_most", (0.05, 0.05)),
        ("D", "mean"): ("at_least", (0.45, 0.42)),
        ("E", "delta"): ("at_most", (0.05,)),
    }
    published = load_profile("5cat-published").thresholds
    assert {(t.gate, t.statistic): (t.comparison, tuple(t.limits.values())) for t in published} == found
    assert load_profile("5cat").gates == load_profile("5cat-published").gates == tuple(GATES)
    assert not load_profile("5cat-published").can_release


def test_limits_are_in_the_order_val_then_ood():
    for name in profile_names():
        for threshold in load_profile(name).thresholds:
            assert list(threshold.limits) in (["VAL", "OOD"], [BOTH])


@pytest.mark.parametrize(("typed", "meant"), [("5cats", "5cat"), ("skil", "skill"), ("5cat-publish", "5cat-published")])
def test_an_unknown_profile_is_answered_with_the_nearest(typed, meant):
    with pytest.raises(UserError, match=f"--profile={typed}: no such profile; did you mean '{meant}'"):
        load_profile(typed)


def test_a_plain_number_is_judged_by_value_with_the_windows_of_its_split():
    profile = load_profile("skill")
    metrics = {"rank_ratio": 0.7, "rank_ratio_centred": 0.4, "echo": Estimate(0.5, 0.4, 0.6, 100)}
    splits = {s: {**metrics, "n": 100, "articles": 10} for s in ("VAL", "OOD")}

    def ranks():
        return [
            c.passed
            for c in judge_gate("spread", BySplit(val=splits["VAL"], ood=splits["OOD"]), profile)
            if c.label.startswith("rank")
        ]

    assert ranks() == [True, True, False, False]
    splits["OOD"]["n"] = 29
    assert ranks() == [True, False, False, False]
    splits["OOD"]["n"], splits["VAL"]["articles"] = 30, 9
    assert ranks() == [False, True, False, False]
    splits["VAL"]["articles"], splits["VAL"]["rank_ratio"] = 10, None
    assert ranks() == [False, True, False, False]


@pytest.mark.parametrize(("val", "ood", "passed"), [(30, 30, True), (29, 300, False), (300, 29, False)])
def test_a_metric_of_both_splits_needs_windows_enough_on_each(val, ood, passed):
    metric = Estimate(0.1, 0.05, 0.15, 300, 30)
    splits = {s: {"task_figure": metric, "n": n, "articles": 30} for s, n in (("VAL", val), ("OOD", ood))}
    statistics = of_both("retained", 0.9, val=splits["VAL"], ood=splits["OOD"])
    checks = judge_gate("generalisation", statistics, load_profile("skill"))
    (both,) = [c for c in checks if c.split == BOTH]
    assert both.passed == passed
    assert both.metric.n == min(val, ood)
    assert both.note.startswith("inconclusive") != passed
