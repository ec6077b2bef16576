"""The sentinel's metrics: against the release gate's own, on predictors whose metrics are known, and repeatable."""

import json

import numpy as np
import pytest
import torch

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.record import jsonable
from lvm_gates.harness.controls import Ingredients, build_control
from lvm_gates.harness.corpus.windows import sample_windows, windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.predictors.predictor import PROBED_AGAIN, PROBED_ALONE, Identity, NamedPredictor
from lvm_gates.harness.predictors.torch_predictor import TorchPredictor
from lvm_gates.harness.rivals import Basis, family_of, score_rivals
from lvm_gates.harness.statistics import offset_sweep, retrieval, rollout
from lvm_gates.harness.statistics.skill import SkillInputs, skill_metrics
from lvm_gates.harness.worlds.world import synthesise
from lvm_gates.models.registry import build
from lvm_gates.trainers import sentinel as sentinel_module
from lvm_gates.trainers.sentinel import Sentinel
from lvm_gates.trainers.sentinel_rules import aborts, backs_off, selection

CONTEXT = 3
VALUES = ("cosine", "margin", "margin_vs_last", "margin_vs_previous", "rollout", "skill_cosine", "skill_mrr", "F")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVM_GATES_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def arrow(tmp_path_factory):
    return synthesise("arrow", tmp_path_factory.mktemp("arrow"), articles=60, dim=32)


@pytest.fixture(scope="module")
def wiki(tmp_path_factory):
    return synthesise("wiki", tmp_path_factory.mktemp("wiki"), articles=60, dim=32)


@pytest.fixture(scope="module")
def watch(arrow):
    return Sentinel(arrow, CONTEXT, windows=120, horizon=3)


def control(corpus, name):
    return build_control(name, Ingredients(corpus, (windows_of(corpus, corpus.articles("TRAIN"), CONTEXT),), 0))


def network(dim):
    torch.manual_seed(0)
    module = build("transformer", input_dim=dim, output_dim=dim, width=16, depth=1, heads=2).eval()
    return TorchPredictor("test", module, dim, torch.device("cpu"))


class Counting:
    """Asks another predictor and counts the contexts."""

    def __init__(self, predictor):
        self.predictor, self.asked = predictor, 0

    def predict(self, contexts):
        self.asked += len(contexts)
        return self.predictor.predict(contexts)


def test_every_metric_is_the_release_gates_own(arrow, watch):
    predictor = control(arrow, "linear")
    articles = arrow.articles("VAL")
    windows = sample_windows(windows_of(arrow, articles, CONTEXT), 120, sentinel_module.SENTINEL_SEED)
    evaluation = EvaluationSet("VAL", windows, articles, 0, 3)

    def observed(predictor):
        return observe(NamedPredictor(Identity("test"), predictor), evaluation, batch_size=17)

    gate = observed(predictor)
    seen = watch.look(predictor, 1)
    sweep, pools = offset_sweep(gate), retrieval(gate)
    assert seen.metrics["c"].keys() == {"-3", "-2", "-1", "0", "1", "2", "3"}
    for k, expected in sweep["c"].items():
        assert seen.metrics["c"][k] == pytest.approx(jsonable(expected))
    for name in ("margin", "margin_vs_last", "margin_vs_previous"):
        assert seen.metrics[name] == pytest.approx(jsonable(sweep[name]))
    for pool in ("article", "novel"):
        for name in ("R@1", "R@5", "MRR"):
            assert seen.metrics[pool][name] == pytest.approx(jsonable(pools[pool][name]))
    assert seen.metrics["rollout"] == pytest.approx(jsonable(rollout(gate)["mean"]))
    assert seen.value("cosine") == pytest.approx(gate.cosine.mean())
    assert seen.value("rank_ratio") == pytest.approx(gate.spread.rankme / gate.target_spread.rankme)
    # F is that of profile `skill` against the rivals that need no fit.
    training = windows_of(arrow, arrow.articles("TRAIN"), watch.evaluation.windows.context)
    basis = Basis(Ingredients(arrow, (training,), 0).climatology.vector)
    rivals = score_rivals(watch.evaluation, family_of(watch.evaluation.windows.context).without_ridge(), basis)
    nothing = np.zeros(len(gate), dtype=bool)
    inputs = SkillInputs(rivals, gate, nothing, nothing, lambda _: gate.rollout)
    assert seen.metrics["F"] == pytest.approx(jsonable(skill_metrics(gate, inputs)["F"]), abs=1e-9)
    last = observed(control(arrow, "persistence"))
    assert seen.value("skill_cosine") == pytest.approx((gate.cosine - last.cosine).mean())
    assert seen.value("skill_mrr") == pytest.approx((1 / gate.rank[:, 1] - 1 / last.rank[:, 1]).mean())


def test_a_perfect_predictor_is_seen_as_one(arrow, watch):
    seen = watch.look(control(arrow, "oracle"), 3)
    for name in ("cosine", "rollout", "article.R@1", "novel.MRR", "finite", "rank_ratio", "variance_ratio"):
        assert seen.value(name) == pytest.approx(1)
    assert seen.metrics["peak"] == 1
    assert seen.value("margin") > 0.12
    assert seen.metrics["skill_mrr"]["low"] > 0
    assert seen.metrics["F"]["low"] > 0
    assert seen.findings == ()
    assert aborts(seen, seen) is None
    assert backs_off(seen) is None


def test_persistence_has_no_skill_over_itself(arrow, watch):
    seen = watch.look(control(arrow, "persistence"), 3)
    assert seen.metrics["peak"] == 0
    assert seen.value("c.0") == pytest.approx(1)
    assert seen.value("margin_vs_last") < -0.3
    for name in ("skill_cosine", "skill_mrr"):
        found = {key: seen.metrics[name][key] for key in ("value", "low", "high", "n")}
        assert found == pytest.approx({"value": 0, "low": 0, "high": 0, "n": 120}, abs=1e-12)
    # It is a point of the frontier, so it is on it or under it.
    assert seen.value("F") <= 1e-12
    assert "collapsed" not in " ".join(seen.findings)


def test_a_constant_is_seen_as_collapsed(arrow, watch):
    seen = watch.look(control(arrow, "climatology"), 4)
    assert seen.metrics["collapsed"] is True
    assert seen.findings[0].startswith("collapsed on VAL")
    assert seen.value("variance_ratio") == pytest.approx(0, abs=1e-9)
    assert "collapsed" in aborts(seen, watch.look(control(arrow, "ewma"), 3))


def test_nan_is_seen_and_never_averaged_away(arrow, watch):
    seen = watch.look(control(arrow, "nan"), 2)
    assert seen.value("finite") == 0
    assert seen.metrics["cosine"].items() >= {"value": None, "low": None, "high": None, "n": 120}.items()
    for name in ("margin", "rollout", "skill_cosine", "F", "rank_ratio"):
        assert np.isnan(seen.value(name))
    assert seen.metrics["peak"] is None
    assert seen.value("novel.R@5") == 0
    assert seen.findings == (
        "120 of 120 windows on VAL have a prediction that is not finite or has no direction "
        "(120 of the context itself)",
    )
    assert aborts(seen, None) is not None
    assert backs_off(seen) is None
    assert selection("skill", 0.5, 0.0, seen) == -np.inf


def test_one_bad_prediction_in_many_makes_means_undefined(arrow, watch):
    sound = control(arrow, "ewma")
    fatal = arrow.vectors(watch.evaluation.windows.targets[:1] - 1)[0]

    class Sometimes:
        def predict(self, contexts):
            out = sound.predict(contexts)
            out[np.abs(contexts[:, -1] - fatal).max(axis=1) < 1e-6] = np.inf
            return out

    seen = watch.look(Sometimes(), 2)
    assert seen.value("finite") == pytest.approx(119 / 120)
    assert np.isnan(seen.value("cosine"))
    assert np.isnan(seen.value("F"))
    # Effective rank at another number of vectors is no ratio.
    assert np.isnan(seen.value("rank_ratio"))
    assert "0.8%" in aborts(seen, None)


def test_random_predictions_have_no_relation_to_the_target(arrow, watch):
    seen = watch.look(control(arrow, "random"), 2)
    chance = seen.metrics["novel"]["chance_of"]["R@5"]
    found = seen.metrics["novel"]["R@5"]
    assert found["low"] <= chance <= found["high"]
    assert seen.value("skill_mrr") < 0
    assert not seen.metrics["collapsed"]
    assert any("not shown to be above zero" in finding for finding in seen.findings)


def test_a_prediction_that_points_away_from_the_target_is_found(arrow, watch):
    oracle = control(arrow, "oracle")

    class Contrary:
        def predict_knowing(self, contexts, rows):
            return -oracle.predict_knowing(contexts, rows)

    seen = watch.look(Contrary(), 2)
    assert seen.value("cosine") == pytest.approx(-1)
    assert "cosine to the target on VAL is -1.000" in seen.findings[0]


def test_the_optimum_of_reversible_text_meets_the_rule_for_backing_off(wiki, arrow, watch):
    """What the documents took for backward drift is what the best possible predictor shows.

    Source: docs/specification.md, "Why the five gates are not enough on text".
    """
    best = Sentinel(wiki, CONTEXT, windows=120, horizon=2).look(control(wiki, "bayes"), 3)
    assert best.metrics["margin_vs_last"]["high"] < 0
    assert backs_off(best) is not None
    assert best.findings == ()
    assert backs_off(watch.look(control(arrow, "bayes"), 3)) is None


def test_the_better_predictor_is_selected_by_skill(arrow, watch):
    order = ["random", "persistence", "bayes"]
    chosen = [selection("skill", 0.0, 0.0, watch.look(control(arrow, name), 1)) for name in order]
    assert chosen == sorted(set(chosen))
    assert len(chosen) == 3


def test_two_looks_and_two_sentinels_give_the_same_reading(arrow, watch):
    again = Sentinel(arrow, CONTEXT, windows=120, horizon=3)
    np.testing.assert_array_equal(again.evaluation.windows.targets, watch.evaluation.windows.targets)
    predictor = network(arrow.dim)
    first = watch.look(predictor, 2)
    assert watch.look(predictor, 2) == first
    assert again.look(predictor, 2) == first


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_batch_size_does_not_matter(arrow, watch, monkeypatch, size):
    expected = watch.look(control(arrow, "linear"), 1)
    by_network = watch.look(network(arrow.dim), 1)
    monkeypatch.setattr(sentinel_module, "BATCH_SIZE", size)
    found = watch.look(control(arrow, "linear"), 1)
    again = watch.look(network(arrow.dim), 1)
    for name in VALUES:
        assert found.metrics[name] == pytest.approx(expected.metrics[name], abs=1e-6)
        assert again.value(name) == pytest.approx(by_network.value(name), abs=1e-5)


def test_a_look_asks_for_the_windows_once_a_horizon(arrow, watch):
    counting = Counting(control(arrow, "ewma"))
    watch.look(counting, 1)
    rolled = int(watch.evaluation.windows.offset(3)[1].sum())
    assert 0 < rolled < 120
    assert counting.asked == 120 + 2 * rolled + PROBED_AGAIN + PROBED_ALONE


def test_a_look_draws_no_random_number_of_the_run(arrow, watch):
    predictor = network(arrow.dim)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    watch.look(predictor, 1)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_a_network_left_in_train_mode_is_refused(arrow, watch):
    predictor = network(arrow.dim)
    predictor.module.train()
    with pytest.raises(UserError, match=r"the network after epoch 4: predictions change with the batch size"):
        watch.look(predictor, 4)


def test_a_reading_is_plain_json(arrow, watch):
    for name in ("ewma", "nan"):
        metrics = watch.look(control(arrow, name), 1).metrics
        assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_windows_are_all_there_are_where_val_is_small(make_corpus, tmp_path):
    corpus = make_corpus(tmp_path, ["TRAIN"] * 4 + ["VAL"], length=9)
    seen = Sentinel(corpus, CONTEXT, horizon=2).look(control(corpus, "ewma"), 1)
    assert seen.metrics["cosine"]["n"] == 6
    assert np.isfinite(seen.value("cosine"))
    for name in ("cosine", "skill_mrr", "F"):
        assert seen.metrics[name]["low"] is None
        assert seen.metrics[name]["high"] is None
    assert seen.findings == ()


def test_a_horizon_beyond_every_article_leaves_the_rollout_undefined(make_corpus, tmp_path):
    corpus = make_corpus(tmp_path, ["TRAIN"] * 4 + ["VAL"] * 3, length=6)
    seen = Sentinel(corpus, CONTEXT, horizon=5).look(control(corpus, "ewma"), 1)
    assert seen.metrics["rollout"].items() >= {"value": None, "low": None, "high": None, "n": 0}.items()
    assert np.isfinite(seen.value("cosine"))


def test_articles_without_all_offsets_leave_the_margin_undefined(make_corpus, tmp_path):
    corpus = make_corpus(tmp_path, ["TRAIN"] * 4 + ["VAL"] * 3, length=CONTEXT + 1)
    seen = Sentinel(corpus, CONTEXT).look(control(corpus, "ewma"), 3)
    assert seen.metrics["peak"] is None
    assert seen.metrics["margin"]["value"] is None
    assert backs_off(seen) is None
    assert np.isfinite(seen.value("cosine"))


@pytest.mark.parametrize("splits", [["TRAIN"] * 3, ["VAL"] * 3])
def test_a_corpus_without_windows_is_refused(make_corpus, tmp_path, splits):
    with pytest.raises(UserError, match="nothing to watch a run on"):
        Sentinel(make_corpus(tmp_path, splits), CONTEXT)
