"""A card: which windows its metrics count, what blocks it, and which metric of profile `skill` is the task's own."""

import numpy as np
import pytest
from msgspec.structs import replace
from scorecard_sample import card, skill_metrics, typed_card

from lvm_gates.harness.base.estimate import UNDEFINED, Estimate, cluster_mean
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.corpus.splits import JUDGED as SPLITS
from lvm_gates.harness.evaluation.contamination import RECORD, TrainingData
from lvm_gates.harness.judging.gates import GATES, Gate
from lvm_gates.harness.judging.profile import Threshold, load_profile
from lvm_gates.harness.judging.verdict import make_card
from lvm_gates.harness.predictors.predictor import Identity
from lvm_gates.harness.rivals import RivalScores
from lvm_gates.harness.statistics.skill import SkillInputs
from lvm_gates.harness.statistics.task_skill import _lower_bound, _retained, _task_metric


def skill_of(**metrics):
    return replace(skill_metrics(0.5).val, **metrics)


def metric(value, low, high=None):
    return Estimate(value, low, 2 * value - low if high is None else high, 500, 30, 29.0)


@pytest.mark.parametrize(
    ("f", "excess", "chosen"),
    [
        # By the bound, not by the value: a large gain that may be nothing does not stand in for F.
        (metric(0.01, -0.01), metric(0.05, -0.001), "F"),
        (metric(0.01, 0.0), metric(0.05, 0.0), "F"),
        (metric(0.01, -0.01), metric(0.05, 0.001), "excess_cosine"),
        (metric(0.05, 0.001), metric(0.09, -0.001), "F"),
        # Both are shown: the larger one.
        (metric(0.02, 0.01), metric(0.05, 0.001), "excess_cosine"),
        (metric(0.05, 0.001), metric(0.02, 0.01), "F"),
        (metric(-0.2, -0.3), metric(-0.1, -0.2), "F"),
        (UNDEFINED, metric(-0.1, -0.2), "F"),
    ],
)
def test_the_frontier_is_judged_by_the_gain_whose_lower_bound_is_above_zero(f, excess, chosen):
    values = skill_of(gain=f, excess_cosine=excess)
    assert _task_metric(values, "frontier") is values[chosen]


def test_another_task_has_its_own_metric_or_none():
    values = skill_of(mrr_vs_best=metric(0.3, 0.2), cosine_vs_best=metric(0.4, 0.2))
    assert _task_metric(values, "retrieval") is values.mrr_vs_best
    assert _task_metric(values, "decoding") is values.cosine_vs_best
    assert _task_metric(values, "another") is UNDEFINED


def test_a_horizon_without_an_interval_is_worse_than_any_other():
    assert _lower_bound(metric(0.2, 0.1)) == 0.1
    assert _lower_bound(metric(0.2, np.nan, 0.3)) == float("-inf")


def of(f, excess=None, **more):
    """The metrics of one split."""
    metrics = skill_of(gain=f, excess_cosine=excess or metric(-0.1, -0.2), **more)
    return replace(metrics, task_metric=_task_metric(metrics, "frontier"))


def test_what_is_retained_is_a_share_of_the_metric_that_val_is_judged_by():
    found = _retained(of(metric(0.2, 0.15)), of(metric(0.1, 0.05)), "frontier")
    assert found.value == pytest.approx(0.5)
    assert found.low < 0.5 < found.high
    by_cosine = _retained(of(metric(0.0, -0.1), metric(0.4, 0.3)), of(metric(0.9, 0.8), metric(0.1, 0.05)), "frontier")
    assert by_cosine.value == pytest.approx(0.25)


@pytest.mark.parametrize("before", [metric(-0.2, -0.3), metric(0.0, -0.1)])
def test_nothing_is_retained_of_no_skill(before):
    found = _retained(of(before), of(metric(-0.1, -0.2)), "frontier")
    assert np.isnan([found.value, found.low, found.high]).all()
    assert (found.n, found.articles) == (500, 30)


def test_another_task_retains_its_own_metric():
    val, ood = (skill_of(mrr_vs_best=v, task_metric=v) for v in (metric(0.2, 0.1), metric(0.15, 0.1)))
    assert _retained(val, ood, "retrieval").value == pytest.approx(0.75)


def made(observed, profile="5cat", skill_inputs=None, identity=None, **more):
    return make_card(
        identity or Identity("m"),
        dict.fromkeys(SPLITS, observed),
        load_profile(profile),
        "strict",
        skill_inputs=skill_inputs,
        task="frontier",
        **more,
    )


def test_leaked_windows_are_left_out_of_every_metric_and_their_effect_is_told(make_observations):
    leaked = np.arange(90) < 30
    wide = np.where(leaked[:, None], 1.0, 2.0) * np.ones(3)
    observed = make_observations(90, rank=wide, rollout=np.where(leaked[:, None], 1.0, 0.2) * np.ones(5))
    found = made(observed, left_out={"VAL": leaked, "OOD": np.zeros(90, dtype=bool)})
    assert found.gates["B"]["VAL"]["article"]["R@1"].value == 0.0
    assert found.gates["B"]["VAL"]["article"]["R@1"].n == 60
    assert found.gates["D"]["VAL"]["mean"].value == pytest.approx(0.2)
    assert found.gates["B"]["OOD"]["article"]["R@1"].value == pytest.approx(1 / 3)
    told = found.leaks["VAL"]
    assert (told["windows"], told["leaked"], told["share"].value) == (90, 30, pytest.approx(1 / 3))
    assert told["figures"]["R@1"]["with"].value == pytest.approx(1 / 3)
    assert told["figures"]["R@1"]["without"].value == 0.0
    assert set(told["figures"]) == {"c(+1)", "margin", "R@1", "MRR", "MRR novel", "rollout"}
    assert found.leaks["OOD"]["leaked"] == 0
    # Without a word about leaks nothing is left out.
    assert made(observed).gates["B"]["VAL"]["article"]["R@1"].n == 90


def test_what_a_model_was_trained_on_blocks_it_and_is_told(make_observations):
    clean = made(make_observations(), training_data=TrainingData("clean", "none of it"))
    assert clean.decision.verdict == "release"
    assert jsonable(clean.record())["training_data"] == {"status": "clean", "detail": "none of it"}
    seen = made(make_observations(), training_data=TrainingData("contaminated", "all of it", ("contaminated: all",)))
    assert seen.decision.verdict == "blocked"
    assert seen.decision.reasons[0] == "contaminated: all"
    assert jsonable(made(make_observations()).record())["training_data"] is None


def test_a_model_that_broke_is_blocked_by_that_and_not_by_what_its_missing_answers_say(make_observations):
    broken = make_observations(cosine=np.full(60, np.nan), finite=np.zeros(60, dtype=bool))
    assert "not finite" in made(broken).decision.reasons[0]
    found = made(broken, faults=["it hung"], outside=["an audit"])
    assert (found.decision.verdict, found.decision.reasons[:2]) == ("blocked", ("it hung", "an audit"))
    assert not any("not finite" in reason for reason in found.decision.reasons)
    assert jsonable(found.record())["faults"] == ["it hung"]


def test_hashes_stay_in_the_checkpoint_and_the_rest_of_its_provenance_is_shown(make_observations):
    identity = Identity("m", provenance={RECORD: ["a"], "recipe": "p1"})
    assert jsonable(made(make_observations(), identity=identity).record())["provenance"] == {"recipe": "p1"}
    assert jsonable(made(make_observations()).record())["provenance"] is None


def test_a_card_from_before_it_said_so_is_not_blocked():
    written = card("m.pt", 0.9, "hold", ["4 of 5 gates passed"])
    del written["blocked"]
    assert typed_card(written).blocked is False


def skill_card(make_observations, mrr=0.5, order=-0.5, **more):
    """A card with skill, against one rival of cosine .5 and MRR .2 whose echo and ranks the model equals."""
    rng = np.random.default_rng(0)
    n, clusters = 240, np.arange(240) // 8
    wobble = rng.normal(0, 0.01, n)
    rival = make_observations(n, clusters=clusters, cosine=0.5 + wobble, nearest_context=0.6 + wobble)
    scores = RivalScores(("linear",), np.eye(1), (0.5 + wobble)[:, None], (0.2 + wobble)[:, None])
    none = np.zeros(n, dtype=bool)
    inputs = SkillInputs(scores, rival, none, none, lambda _: np.full((n, 5), 0.4))
    rank = np.ones((n, 3))
    rank[:, 1] = 1 / (mrr + rng.normal(0, 0.01, n))
    columns = {"cosine": 0.6 + wobble, "rank": rank, "rollout": np.full((n, 5), 0.6)}
    ablation = np.tile([order] * 2 + [-0.5] * 5 + [0.0, 0.0], (n, 1))
    observed = make_observations(n, clusters=clusters, ablation=ablation, **columns)
    return made(observed, "skill", dict.fromkeys(SPLITS, inputs), **more)


def test_under_skill_the_gates_of_skill_decide_and_the_absolute_ones_are_shown(make_observations):
    found = skill_card(make_observations)
    shown = jsonable(found.record())
    assert set(shown["gates"]) == set(GATES)
    assert set(shown["skill"]["gates"]) == set(load_profile("skill").gates)
    assert shown["gates"]["B"]["checks"] != []
    assert [c.gate for c in found.checks["A"]] == ["A"] * 4, "judged by 5cat, whatever the session's profile"
    passed = {g: found.passed(g) for g in shown["skill"]["gates"]}
    assert passed["frontier"]
    assert {g: shown["skill"]["gates"][g]["passed"] for g in passed} == passed
    assert shown["skill"]["passed"]
    assert (found.skill["VAL"]["n"], found.skill["VAL"]["articles"]) == (240, 30)
    assert found.skill["task"] == "frontier"
    assert found.skill["retained"].value == pytest.approx(1.0)
    record = found.record()
    assert (record.skill.of("VAL"), record.skill.of("OOD")) == (found.skill.val, found.skill.ood)
    assert jsonable(made(make_observations()).record())["skill"] == {}


def test_a_profile_of_the_five_gates_judges_them_by_its_own_limits(make_observations):
    """The original battery asked for no minimum of windows."""
    few = make_observations(9)
    assert all(check.note.startswith("inconclusive") for check in made(few).checks["D"])
    assert all(check.passed for check in made(few, "5cat-published").checks["D"])


@pytest.mark.parametrize(("limit", "verdict"), [(0.4, "release"), (0.6, "hold")])
def test_a_gate_from_outside_is_judged_by_its_own_limit_and_needed(make_observations, limit, verdict):
    row = Threshold("near", "cosine", "nearest frame", "at_least", dict.fromkeys(SPLITS, limit), "made up")
    near = Gate(
        "near",
        "nearest frame",
        "Is it near its context?",
        lambda observed: {"cosine": cluster_mean(observed.nearest_context, observed.clusters)},
        (row,),
    )
    found = make_card(
        Identity("m"),
        dict.fromkeys(SPLITS, make_observations()),
        load_profile("5cat").with_thresholds([row]),
        "strict",
        skill_inputs=None,
        task="frontier",
        added=(near,),
    )
    assert [check.metric.value for check in found.checks["near"]] == [0.5, 0.5]
    assert found.passed("near") == (verdict == "release")
    assert found.decision.verdict == verdict


def test_one_gate_of_skill_that_fails_fails_skill(make_observations):
    found = skill_card(make_observations, order=0.0)
    shown = jsonable(found.record())["skill"]
    assert {gate for gate, judged in shown["gates"].items() if not judged["passed"]} == {"order"}
    assert not shown["passed"]
    assert found.decision.verdict == "hold"


def test_leaked_windows_are_left_out_of_skill_too(make_observations):
    leaked = np.arange(240) >= 160
    found = skill_card(make_observations, left_out={"VAL": leaked, "OOD": np.zeros(240, dtype=bool)})
    assert (found.skill["VAL"]["n"], found.skill["VAL"]["articles"]) == (160, 20)
    assert found.skill["VAL"]["F"].n == 160
    assert found.skill["OOD"]["n"] == 240


def test_what_leaked_windows_would_have_done_to_skill_is_told(make_observations):
    """F with them and without, and the same twice where none is leaked."""
    leaked = np.arange(240) >= 160
    found = skill_card(make_observations, left_out={"VAL": leaked, "OOD": np.zeros(240, dtype=bool)})
    told = {split: effect.metrics["F"] for split, effect in found.record().leaks.items()}
    assert told["VAL"].kept == found.skill["VAL"]["F"]
    assert (told["VAL"].kept.n, told["VAL"].whole.n) == (160, 240)
    assert told["VAL"].whole.value != told["VAL"].kept.value
    assert told["OOD"].whole == told["OOD"].kept == found.skill["OOD"]["F"]
