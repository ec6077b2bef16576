"""Rules on readings made by hand, and on the reported tables as data (docs/sources.md, "Reported metrics")."""

import json
import math

import pytest

from lvm_gates.trainers.sentinel_rules import COLLAPSING_FALL, Reading, StageGate, aborts, backs_off, selection


def estimate(value):
    return {"value": value, "low": None, "high": None, "n": 500}


def reading(epoch=5, *, peak=1, finite=1.0, collapsed=False, findings=(), recall=0.9, **values):
    """A healthy reading but for what is given."""
    healthy = {
        "cosine": 0.55,
        "margin": 0.15,
        "margin_vs_last": 0.15,
        "margin_vs_previous": 0.2,
        "rollout": 0.5,
        "skill_cosine": 0.08,
        "skill_mrr": 0.02,
        "F": 0.03,
    }
    assert values.keys() <= healthy.keys()
    metrics = {
        **{name: estimate(value) for name, value in (healthy | values).items()},
        "peak": peak,
        "article": {"R@1": estimate(0.7), "R@5": estimate(recall), "MRR": estimate(0.8)},
        "finite": finite,
        "collapsed": collapsed,
    }
    return Reading(epoch, json.loads(json.dumps(metrics)), tuple(findings))


# VAL offset sweeps as reported, by offset from the last context frame: one less than the printed k on standard data.
PUBLISHED_SWEEPS = {
    "V3": {-2: 0.590, -1: 0.611, 0: 0.655, 1: 0.549, 2: 0.523, 3: 0.514},
    "P4": {-2: 0.578, -1: 0.608, 0: 0.670, 1: 0.548, 2: 0.521, 3: 0.511},
    "P5-A": {-2: 0.505, -1: 0.510, 0: 0.500, 1: 0.477, 2: 0.469, 3: 0.464},
}

# val_cos by epoch; the epoch whose value the documents call a collapse.
COLLAPSES = {
    "V3": ({1: 0.459, 2: 0.523, 3: 0.540, 4: 0.354}, 4),
    "P4": ({1: 0.455, 2: 0.521, 3: 0.540, 4: 0.338}, 4),
    "P6b v1": ({1: 0.4599, 2: 0.4758, 3: -0.0494}, 3),
    "P7": ({2: 0.396, 3: 0.241}, 3),
}
ORDINARY = {
    "P1": {1: 0.459, 2: 0.521, 3: 0.540, 4: 0.546, 5: 0.550},
    "P2": {1: 0.434, 2: 0.464, 3: 0.472, 4: 0.469, 5: 0.472, 6: 0.464},
    "P3": {1: 0.459, 2: 0.521, 3: 0.540, 4: 0.546, 5: 0.550, 6: 0.507, 8: 0.510, 10: 0.519, 15: 0.524, 20: 0.526},
}


def aborted_epochs(cosines):
    """The epochs at which `aborts` speaks, of a run that nobody stops."""
    best, spoken = None, []
    for epoch, cosine in cosines.items():
        seen = reading(epoch, cosine=cosine)
        if aborts(seen, best):
            spoken.append(epoch)
        if best is None or cosine > best.value("cosine"):
            best = seen
    return spoken


@pytest.mark.parametrize("recipe", COLLAPSES)
def test_every_original_collapse_is_caught_in_its_epoch(recipe):
    cosines, epoch = COLLAPSES[recipe]
    assert aborted_epochs(cosines) == [epoch]


@pytest.mark.parametrize("recipe", ORDINARY)
def test_no_ordinary_original_epoch_is_aborted(recipe):
    assert aborted_epochs(ORDINARY[recipe]) == []


def test_the_threshold_lies_between_the_largest_ordinary_fall_and_the_smallest_collapse():
    falls = [max(cosines.values()) - cosines[epoch] for cosines, epoch in COLLAPSES.values()]
    ordinary = ORDINARY["P3"][5] - ORDINARY["P3"][6]
    assert ordinary == pytest.approx(0.043)
    assert min(falls) > 1.5 * COLLAPSING_FALL
    assert ordinary < COLLAPSING_FALL / 2


def test_the_fall_is_told_with_both_epochs():
    said = aborts(reading(4, cosine=0.354), reading(3, cosine=0.540))
    assert said == "the mean cosine fell from 0.540 in epoch 3 to 0.354 in epoch 4, by more than 0.10"


@pytest.mark.parametrize("best", [None, reading(1)])
def test_a_prediction_without_direction_aborts_in_any_epoch(best):
    broken = reading(2, finite=0.996, cosine=None)
    assert aborts(broken, best) == "0.4% of the predictions are not finite or have no direction"


def test_collapse_aborts_a_run_that_was_not_collapsed_before():
    fallen = reading(4, collapsed=True, findings=["collapsed on VAL: predictions vary too little"])
    assert aborts(fallen, reading(3)) == "collapsed on VAL: predictions vary too little"
    assert aborts(fallen, reading(3, collapsed=True)) is None
    assert aborts(fallen, None) is None


def test_the_first_epoch_of_a_healthy_run_goes_on():
    assert aborts(reading(1), None) is None
    assert aborts(reading(2), reading(1)) is None


@pytest.mark.parametrize("recipe", PUBLISHED_SWEEPS)
def test_the_original_runs_all_meet_the_rule_for_backing_off(recipe):
    sweep = PUBLISHED_SWEEPS[recipe]
    seen = reading(3, peak=max(sweep, key=sweep.__getitem__), margin_vs_previous=sweep[1] - sweep[-1])
    assert "auxiliary terms are dropped to zero" in backs_off(seen)


@pytest.mark.parametrize(
    ("epoch", "peak", "margin", "fires"),
    [
        (3, 0, -0.1, True),
        (3, 0, 0.0, True),
        (3, -1, -0.2, True),
        (2, 0, -0.1, False),
        (3, 1, -0.1, False),
        (3, 0, 0.01, False),
        (3, None, -0.1, False),
        (3, 0, None, False),
    ],
)
def test_backing_off_needs_the_epoch_the_peak_and_the_margin(epoch, peak, margin, fires):
    said = backs_off(reading(epoch, peak=peak, margin_vs_previous=margin))
    assert (said is not None) == fires


def test_backing_off_is_told_with_its_metrics():
    said = backs_off(reading(7, peak=0, margin_vs_previous=-0.062))
    assert said.startswith("the prediction is nearest to k=0 and its margin over k=-1 is -0.062")


def test_a_healthy_reading_misses_nothing_of_stage_a():
    assert StageGate.documented().misses(reading(margin=0.02, recall=0.60, rollout=0.46, cosine=0.50)) == []


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"margin": 0.0199}, "margin is +0.020, wanted >= +0.02"),
        ({"recall": 0.5}, "R@5 is +0.500, wanted >= +0.60"),
        ({"rollout": 0.45}, "rollout is +0.450, wanted >= +0.46"),
        ({"cosine": 0.49}, "cosine is +0.490, wanted >= +0.50"),
        ({"rollout": None}, "rollout is undefined, wanted >= +0.46"),
    ],
)
def test_each_threshold_of_a_stage_is_asked_for_by_itself(given, sentence):
    assert StageGate.documented().misses(reading(**given)) == [sentence]


def test_the_original_p5_missed_its_own_stage():
    assert len(StageGate.documented().misses(reading(margin=-0.041, recall=0.175, rollout=0.448, cosine=0.477))) == 4


def test_thresholds_of_a_stage_can_be_chosen():
    lenient = StageGate((("margin", "margin", -1.0), ("cosine", "cosine", 0.1)))
    assert lenient.misses(reading(margin=-0.3, cosine=0.2)) == []


def test_each_criterion_reads_its_own_metric():
    seen = reading(margin=0.11, F=0.07)
    assert selection("val_cos", 0.52, -0.3, seen) == 0.52
    assert selection("val_cos", 0.52, -0.3, None) == 0.52
    assert selection("margin", 0.52, -0.3, seen) == 0.11
    assert selection("skill", 0.52, -0.3, seen) == 0.07
    assert selection("last-margin", 0.52, -0.3, seen) == -0.3
    assert selection("last-margin", 0.52, -0.3, None) == -0.3


@pytest.mark.parametrize("criterion", ["margin", "skill"])
def test_what_is_undefined_is_never_the_best(criterion):
    assert selection(criterion, 0.9, 0.1, None) == -math.inf
    assert selection(criterion, 0.9, 0.1, reading(margin=None, F=None)) == -math.inf
    assert selection("val_cos", math.nan, 0.1, reading()) == -math.inf


def test_a_misspelt_metric_is_an_error():
    with pytest.raises(KeyError):
        reading().value("marign")
