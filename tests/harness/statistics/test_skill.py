"""The frontier against a grid over mixtures, and F on models whose standing is known."""

import numpy as np
import pytest
from msgspec.structs import asdict, astuple

from lvm_gates.harness.corpus.splits import JUDGED
from lvm_gates.harness.evaluation.collapse import Spread
from lvm_gates.harness.judging.judge import judge_gate
from lvm_gates.harness.judging.profile import load_profile
from lvm_gates.harness.judging.verdict import make_card, skill_statistics
from lvm_gates.harness.predictors.predictor import Identity
from lvm_gates.harness.rivals import RivalScores
from lvm_gates.harness.statistics.frontier import frontier_mrr
from lvm_gates.harness.statistics.skill import SkillInputs, skill_metrics

ARTICLES, PER_ARTICLE = 40, 12
CLUSTERS = np.repeat(np.arange(ARTICLES), PER_ARTICLE)
N = len(CLUSTERS)
NONE = np.zeros(N, dtype=bool)


def against(controls, near=NONE):
    """The inputs of `skill` with these observations for rivals."""
    names = tuple(controls)
    scores = RivalScores(
        names,
        np.eye(len(names)),
        np.stack([c.cosine for c in controls.values()], axis=1),
        np.stack([1 / c.rank[:, 1] for c in controls.values()], axis=1),
    )
    nothing = np.zeros(len(near), dtype=bool)
    return SkillInputs(scores, controls["linear"], near, nothing, lambda name: controls[name].rollout)


@pytest.fixture
def build(make_observations):
    """build(cosine, mrr, seed): observations with those means, articles and windows varying about them."""

    def make(cosine, mrr, seed, noise=0.02, **given):
        rng = np.random.default_rng(seed)
        wobble = rng.normal(0, noise, (ARTICLES, 2))[CLUSTERS] + rng.normal(0, noise, (N, 2))
        rank = np.ones((N, 3))
        rank[:, 1] = 1 / np.clip(mrr + wobble[:, 1], 0.02, 1)
        # Candidate set `article` is much easier: whoever reads the wrong column is noticed.
        columns = {"clusters": CLUSTERS, "cosine": cosine + wobble[:, 0], "rank": rank} | given
        return make_observations(N, horizon=3, **columns)

    return make


@pytest.fixture
def controls(build):
    """Persistence ranks best, the mean has the best cosine, ridge lies below their chord."""
    return {
        "persistence": build(0.42, 0.16, 1),
        "context-mean": build(0.52, 0.11, 2),
        "linear": build(0.45, 0.10, 3),
    }


def test_a_control_has_no_skill_and_is_never_significant(controls):
    for name, observed in controls.items():
        found = skill_metrics(observed, against(controls))
        assert found["F"].value <= 1e-12, name
        assert found["F"].high <= 1e-12, name
        assert not found["beyond_frontier"]
        assert found["excess_cosine"].value <= 0
    assert skill_metrics(controls["persistence"], against(controls))["F"].value == pytest.approx(0, abs=1e-12)
    assert skill_metrics(controls["context-mean"], against(controls))["F"].value == pytest.approx(0, abs=1e-12)
    assert skill_metrics(controls["linear"], against(controls))["F"].value < -0.02


def test_a_model_that_dominates_every_control_has_skill(build, controls):
    found = skill_metrics(build(0.55, 0.2, 9), against(controls))
    assert found["F"].low > 0
    assert found["beyond_frontier"]
    assert found["excess_cosine"].low > 0
    best = controls["context-mean"]
    novel = 1 / found_rank(build(0.55, 0.2, 9))
    assert found["F"].value == pytest.approx(novel.mean() - (1 / found_rank(best)).mean(), abs=1e-12)
    assert found["retrieval"].value == pytest.approx((novel - 1 / found_rank(controls["persistence"])).mean())
    assert found["decoding"].value == pytest.approx(np.mean(build(0.55, 0.2, 9).cosine - best.cosine))
    assert (found["best_mrr_control"], found["best_cosine_control"]) == ("persistence", "context-mean")


def found_rank(observed):
    return observed.rank[:, 1]


def test_f_is_the_distance_to_the_chord_at_the_models_cosine(build, controls):
    observed = build(0.47, 0.15, 7)
    found = skill_metrics(observed, against(controls))
    cosine = np.array([[c.cosine.mean() for c in controls.values()]])
    mrr = np.array([[(1 / found_rank(c)).mean() for c in controls.values()]])
    expected = (1 / found_rank(observed)).mean() - frontier_mrr(cosine, mrr, np.array([observed.cosine.mean()]))[0]
    assert found["F"].value == pytest.approx(expected, abs=1e-9)
    assert found["F"].low < found["F"].value < found["F"].high
    assert 0.005 < found["F"].value < 0.03


def test_near_duplicates_are_counted_and_left_out(build, controls):
    plain = build(0.44, 0.12, 8)
    near = np.arange(N) % 4 == 0
    rank = plain.rank.copy()
    rank[near] = 1  # recited
    reciting = build(0.44, 0.12, 8, rank=rank)
    assert skill_metrics(reciting, against(controls))["F"].low > 0
    found = skill_metrics(reciting, against(controls, near))
    assert found["near_duplicates"] == near.sum()
    assert found["F"].high < 0
    assert found["F"].n == (~near).sum()
    assert found["F"].value == pytest.approx(skill_metrics(plain, against(controls, near))["F"].value, abs=1e-12)
    for metric in ("retrieval", "decoding", "cosine", "MRR"):
        assert found[metric].n == (~near).sum(), metric


def test_the_interval_of_f_covers_its_truth(make_observations):
    """One control, flat frontier: F is a difference of means whose truth is .03."""
    rng = np.random.default_rng(0)
    covered, runs = 0, 200
    for _ in range(runs):
        article = rng.normal(0, 0.05, (ARTICLES, 2))[CLUSTERS]
        mrr = 0.3 + article + rng.normal(0, 0.05, (N, 2)) + np.array([0.03, 0])
        made = [
            make_observations(N, clusters=CLUSTERS, cosine=np.full(N, c), rank=np.stack([1 / m, 1 / m, 1 / m], axis=1))
            for c, m in zip((0.3, 0.5), mrr.T, strict=True)
        ]
        found = skill_metrics(made[0], against({"linear": made[1]}, NONE))["F"]
        covered += found.low <= 0.03 <= found.high
    assert 0.89 <= covered / runs <= 0.985


def test_one_article_has_a_metric_without_an_interval_and_does_not_pass(make_observations):
    one = make_observations(40, clusters=np.zeros(40, dtype=int), rank=np.ones((40, 3)))
    other = make_observations(40, clusters=np.zeros(40, dtype=int), rank=np.full((40, 3), 2.0))
    found = skill_metrics(one, against({"linear": other}, np.zeros(40, dtype=bool)))
    assert found["F"].value == pytest.approx(0.5)
    assert np.isnan([found["F"].low, found["F"].high]).all()


def test_a_model_with_undefined_predictions_has_no_skill_metric(build, controls):
    observed = build(0.6, 0.3, 9)
    observed.cosine[3] = np.nan
    found = skill_metrics(observed, against(controls))
    assert np.isnan(found["F"].value)
    assert not found["beyond_frontier"]
    assert found["rollout"] == []


def test_rollout_is_compared_with_the_control_nearest_in_cosine_pairwise(build, controls):
    for name, level in (("persistence", 0.3), ("context-mean", 0.5), ("linear", 0.4)):
        controls[name].rollout[:] = level
    observed = build(0.515, 0.1, 11)
    observed.rollout[:] = [0.6, 0.5, 0.45]
    steps = skill_metrics(observed, against(controls))["rollout"]
    assert [s["horizon"] for s in steps] == [1, 2, 3]
    assert {s["control"] for s in steps} == {"context-mean"}
    assert [s["difference"].value for s in steps] == pytest.approx([0.1, 0.0, -0.05])


def test_rollout_counts_windows_with_a_full_horizon_and_picks_its_control_by_the_first_prediction(build, controls):
    """The control of the nearest rollout may be a better regressor altogether; the start must be the same."""
    exists = np.arange(N) % 3 > 0
    observed = build(0.515, 0.1, 11, rollout_exists=exists)
    observed.rollout[exists], observed.rollout[~exists] = [0.6, 0.5, 0.45], np.nan
    for name, level in (("persistence", 0.515), ("context-mean", 0.2), ("linear", 0.5)):
        controls[name].rollout[exists], controls[name].rollout[~exists] = level, np.nan
    steps = skill_metrics(observed, against(controls))["rollout"]
    assert {s["control"] for s in steps} == {"context-mean"}
    assert [s["difference"].value for s in steps] == pytest.approx([0.4, 0.3, 0.25])
    assert {s["difference"].n for s in steps} == {exists.sum()}


def test_thirds_of_coherence_are_judged_as_windows_of_their_own(build, controls):
    order = np.random.default_rng(0).permutation(N)
    coherence = np.linspace(0.2, 0.8, N)[order]
    controls["linear"] = build(0.45, 0.10, 3, coherence=coherence)
    observed = build(0.5, 0.2, 5, coherence=coherence)
    found = skill_metrics(observed, against(controls))["by_coherence"]
    for i, third in enumerate(found):
        kept = np.flatnonzero(order * 3 // N == i)
        alone = skill_metrics(observed.take(kept), against({k: c.take(kept) for k, c in controls.items()}, NONE[kept]))
        assert astuple(third["F"]) == pytest.approx(astuple(alone["F"]), abs=1e-12)
        assert third["F"].low < third["F"].value < third["F"].high


def test_thirds_of_coherence_hold_every_window_once(build, controls):
    coherence = np.random.default_rng(0).permutation(np.linspace(0.2, 0.8, N))
    controls["linear"] = build(0.45, 0.10, 3, coherence=coherence)
    found = skill_metrics(build(0.5, 0.2, 5, coherence=coherence), against(controls))["by_coherence"]
    assert [t["F"].n for t in found] == [N // 3] * 3
    assert found[0]["from"] == 0.2
    assert found[2]["to"] == 0.8
    assert found[0]["to"] == found[1]["from"]


def test_of_nothing_but_near_duplicates_nothing_is_said(build, controls):
    found = skill_metrics(build(0.6, 0.3, 9), against(controls, ~NONE))
    assert found.near_duplicates == N
    for metric in (found.cosine, found.mrr, found.gain, found.excess_cosine, found.mrr_vs_best, found.order.shuffle):
        assert np.isnan(metric.value)
        assert metric.n == 0
    assert (found.beyond_frontier, found.rivals, found.rivals_know_domain) == (False, 0, False)
    assert (found.frontier, found.best_mrr_control, found.rollout, found.by_coherence) == ({}, None, [], [])


def test_one_rival_that_knows_the_domain_is_told(build, controls):
    observed = build(0.5, 0.2, 5)
    assert not skill_metrics(observed, against(controls)).rivals_know_domain
    controls["ewma-0.5 +0.2 domain"] = build(0.4, 0.1, 4)
    found = skill_metrics(observed, against(controls))
    assert (found.rivals, found.rivals_know_domain) == (4, True)
    without = against(controls).without_domain()
    assert without.rivals.names == ("persistence", "context-mean", "linear")
    assert not skill_metrics(observed, without).rivals_know_domain


def test_thirds_take_three_windows_and_contexts_that_have_a_coherence(build, controls):
    observed, inputs = build(0.5, 0.2, 5), against(controls)
    for n in (2, 3):
        few = np.arange(n)
        thirds = against({k: c.take(few) for k, c in controls.items()}, NONE[few]).thirds
        assert len(thirds) == (n == 3)  # all of one coherence, so all in the first third
    assert len(inputs.thirds) == 1
    coherence = np.full(N, 0.5)
    coherence[7] = np.nan
    controls["linear"] = build(0.45, 0.10, 3, coherence=coherence)
    assert skill_metrics(observed, against(controls))["by_coherence"] == []


def test_leaked_windows_are_those_of_the_model_that_is_asked_about(controls):
    """The frontier is kept where two models have seen the same windows, and made anew where they have not."""
    near = np.arange(N) % 4 == 0
    inputs = against(controls, near)
    assert inputs.without(NONE) is inputs
    leaked = np.arange(N) >= N // 2
    other = inputs.without(leaked)
    np.testing.assert_array_equal(other.kept, np.flatnonzero(~near & ~leaked))
    np.testing.assert_array_equal(inputs.kept, np.flatnonzero(~near))


def test_par_and_rank_ratios_are_relative_to_reference_and_ridge(build, controls):
    observed = build(0.5, 0.2, 5, nearest_context=np.full(N, 0.6), nearest_reference=np.full(N, 0.4))
    found = skill_metrics(observed, against(controls))
    assert found["par"].value == pytest.approx(1.5)
    assert found["rank_ratio"].value == pytest.approx(1.0)
    narrow = build(0.5, 0.2, 5, spread=Spread(60.0, 30.0, 0.5, 512))
    found = skill_metrics(narrow, against(controls))
    assert found["rank_ratio"].value == pytest.approx(0.2)
    assert found["rank_ratio_centred"].value == pytest.approx(0.1)
    assert found["rank_ratio"].n == 512


def test_echo_is_the_distance_to_the_nearest_frame_over_that_of_ridge(build, controls):
    controls["linear"] = build(0.45, 0.10, 3, nearest_context=np.full(N, 0.2))
    profile = load_profile("skill")
    for nearest, echo, passed in ((0.6, 0.5, True), (0.95, 0.0625, False)):
        observed = build(0.5, 0.2, 5, nearest_context=np.full(N, nearest))
        metrics = statistics_of(build, controls, observed, observed)
        assert metrics["VAL"]["echo"].value == pytest.approx(echo)
        checks = [c for c in judge_gate("spread", metrics, profile) if c.metric.value == metrics["VAL"]["echo"].value]
        assert [c.passed for c in checks] == [passed] * 2


def test_rank_ratios_divide_by_the_ranks_of_ridge_not_of_the_targets(build, controls):
    controls["linear"] = build(0.45, 0.10, 3, spread=Spread(120.0, 50.0, 0.5, 512))
    found = skill_metrics(build(0.5, 0.2, 5, spread=Spread(60.0, 30.0, 0.5, 512)), against(controls))
    assert found["rank_ratio"].value == pytest.approx(60 / 120)
    assert found["rank_ratio_centred"].value == pytest.approx(30 / 50)
    shown = {who: (ranks["rankme"], ranks["rankme_centred"]) for who, ranks in asdict(found.rankme).items()}
    assert shown == {"model": (60, 30), "linear": (120, 50), "target": (300, 300)}


@pytest.mark.parametrize("echo", [0.0, 1.0])
def test_par_has_the_interval_of_a_ratio(build, controls, echo):
    """Against the delete-one-article jackknife; where both sides move together, there is little to doubt."""
    rng = np.random.default_rng(0)
    reference = 0.4 + rng.normal(0, 0.05, ARTICLES)[CLUSTERS] + rng.normal(0, 0.02, N)
    nearest = 0.6 + 1.5 * echo * (reference - 0.4) + rng.normal(0, 0.01, ARTICLES)[CLUSTERS]
    par = skill_metrics(build(0.5, 0.2, 5, nearest_context=nearest, nearest_reference=reference), against(controls))[
        "par"
    ]
    assert par.value == pytest.approx(nearest.mean() / reference.mean())
    without = np.array([nearest[a != CLUSTERS].mean() / reference[a != CLUSTERS].mean() for a in range(ARTICLES)])
    error = np.sqrt((ARTICLES - 1) / ARTICLES * np.sum((without - without.mean()) ** 2))
    assert [par.value - par.low, par.high - par.value] == pytest.approx([2.0227 * error] * 2, rel=0.03)
    assert (par.high - par.low < 0.03) == (echo == 1.0)


def statistics_of(build, controls, val, ood, task="frontier"):
    inputs = dict.fromkeys(("VAL", "OOD"), against(controls))
    return skill_statistics({"VAL": val, "OOD": ood}, inputs, task)


def test_generalisation_asks_for_the_sign_and_half_the_size(build, controls):
    strong, half, weak, none = (build(0.42, m, 20, noise=1e-4) for m in (0.26, 0.215, 0.195, 0.10))
    profile = load_profile("skill")

    def passes(val, ood):
        checks = judge_gate("generalisation", statistics_of(build, controls, val, ood), profile)
        return all(c.passed for c in checks)

    assert passes(strong, strong)
    assert passes(strong, half)
    assert not passes(strong, weak)
    assert not passes(strong, none)
    assert not passes(none, none)  # a ratio of two negatives is no skill


def test_generalisation_compares_one_metric_with_itself(build, controls):
    """Beyond the frontier on VAL and along it on OOD: a gain in cosine is not divided by a gain in MRR."""
    val, ood = build(0.60, 0.11, 20, noise=1e-3), build(0.51, 0.20, 21, noise=1e-3)
    metrics = statistics_of(build, controls, val, ood)
    assert metrics["VAL"]["task_figure"] == metrics["VAL"]["excess_cosine"]
    assert metrics["OOD"]["task_figure"] == metrics["OOD"]["F"]
    expected = metrics["OOD"]["excess_cosine"].value / metrics["VAL"]["excess_cosine"].value
    assert metrics["retained"].value == pytest.approx(expected)
    assert metrics["retained"].value < 0


@pytest.mark.parametrize(
    ("cosine", "mrr", "metric"), [(0.60, 0.11, "excess_cosine"), (0.60, 0.20, "F"), (0.47, 0.20, "F"), (0.3, 0.1, "F")]
)
def test_the_gain_in_cosine_stands_in_only_where_that_in_mrr_is_not_shown(build, controls, cosine, mrr, metric):
    observed = build(cosine, mrr, 20, noise=1e-3)
    metrics = statistics_of(build, controls, observed, observed)["VAL"]
    assert metrics["F"] != metrics["excess_cosine"]
    assert metrics["task_figure"] == metrics[metric]


def test_a_rollout_that_breaks_down_at_a_later_horizon_fails(build, controls):
    """The worst horizon decides; one that is undefined is worse than any number."""
    sound, broken = build(0.5, 0.2, 5), build(0.5, 0.2, 5)
    broken.rollout[7, 1] = np.nan
    profile = load_profile("skill")
    for observed, expected in ((sound, True), (broken, False)):
        metrics = statistics_of(build, controls, observed, observed)
        checks = judge_gate("rollout", metrics, profile)
        assert [c.passed for c in checks] == [expected] * 2


def test_the_worst_horizon_decides(build, controls):
    observed = build(0.5, 0.2, 5)
    observed.rollout[:] = [2.0, 0.2, 1.5]
    metrics = statistics_of(build, controls, observed, observed)
    assert metrics["VAL"]["rollout_worst"].value == pytest.approx(-0.8)
    assert not any(c.passed for c in judge_gate("rollout", metrics, load_profile("skill")))


@pytest.mark.parametrize("articles", [ARTICLES, 10])
def test_a_rollout_gate_is_no_easier_with_fewer_articles(build, controls, articles):
    """Worse by .004: forty articles show that it is not .01; ten do not, though their interval reaches above zero."""
    few = np.flatnonzero(np.isin(CLUSTERS, np.arange(articles)))
    observed, between = build(0.5, 0.2, 5), np.tile(np.linspace(-0.025, 0.025, 10), ARTICLES // 10)
    for control in controls.values():
        control.rollout[:] = 0.5
    observed.rollout[:] = 0.496 + between[CLUSTERS, None]
    given = against({name: control.take(few) for name, control in controls.items()}, NONE[few])
    metrics = skill_statistics(dict.fromkeys(JUDGED, observed.take(few)), dict.fromkeys(JUDGED, given), "frontier")
    worst = metrics["VAL"]["rollout_worst"]
    assert worst.value == pytest.approx(-0.004)
    assert worst.high > 0.0
    checks = judge_gate("rollout", metrics, load_profile("skill"))
    assert [c.passed for c in checks] == [articles == ARTICLES] * 2


def test_f_is_told_with_the_leaked_windows_and_without(build, controls):
    plain = build(0.44, 0.12, 8)
    leaked = np.arange(N) % 4 == 0
    rank = plain.rank.copy()
    rank[leaked] = 1  # recited
    observed = dict.fromkeys(JUDGED, build(0.44, 0.12, 8, rank=rank))
    given = dict.fromkeys(JUDGED, against(controls))
    card = make_card(
        Identity("m"), observed, load_profile("skill"), "strict",
        skill_inputs=given, task="frontier", left_out={"VAL": leaked, "OOD": NONE},
    )  # fmt: skip
    told = card.leaks["VAL"]["figures"]["F"]
    assert told["without"] == card.skill["VAL"]["F"]
    assert told["without"].high < 0 < told["with"].low
    assert told["with"] == skill_metrics(observed["VAL"], given["VAL"])["F"]
    untouched = card.leaks["OOD"]["figures"]["F"]
    assert untouched["with"] == untouched["without"] == card.skill["OOD"]["F"]


@pytest.mark.parametrize(("task", "key"), [("retrieval", "retrieval"), ("decoding", "decoding")])
def test_the_task_picks_its_metric(build, controls, task, key):
    observed = build(0.5, 0.2, 5)
    metrics = statistics_of(build, controls, observed, observed, task)
    assert metrics["VAL"]["task_figure"] == metrics["VAL"][key]
