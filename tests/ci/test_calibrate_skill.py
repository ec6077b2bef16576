"""Calibration of profile `skill` against trivial predictors."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ci import calibrate_skill
from ci.calibrate_skill import CONTEXT, Setting, Source, main, outcomes
from ci.calibration_draws import draws, frontier, judge
from ci.calibration_scores import Totals, score
from ci.calibration_table import Outcome, across, table
from ci.trivial_fits import fit
from ci.trivial_library import library
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls.simple import Ewma
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.evaluation.evaluation_set import EvaluationSet
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.rivals import Basis, Blend, family_of
from lvm_gates.harness.statistics.frontier import Frontier, frontier_mrr
from lvm_gates.harness.worlds.world import synthesise

ARTICLES, DIM = 44, 24


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return synthesise("wiki", tmp_path_factory.mktemp("worlds") / "wiki", articles=ARTICLES, dim=DIM)


@pytest.fixture(scope="module")
def setting(world, tmp_path_factory):
    other = synthesise("arrow", tmp_path_factory.mktemp("worlds") / "arrow", articles=ARTICLES, dim=DIM)
    sources = {
        name: Source.open(name, corpus.path, judged_only=False, articles=22, seed=0)
        for name, corpus in {"wiki": world, "arrow": other}.items()
    }
    return Setting(sources, ("wiki",), tmp_path_factory.mktemp("out"), 0, 500)


@pytest.fixture(scope="module")
def predictors(setting):
    return setting.predictors()


def contexts_of(setting):
    return setting.sources["arrow"].judged.take(slice(0, 9)).contexts()


def test_the_library_is_large_and_none_of_it_is_a_rival(setting, predictors):
    assert len(predictors) >= 45
    contexts = contexts_of(setting)
    basis, family = Basis(setting.fitted.climatology, setting.fitted.linear), family_of(CONTEXT)
    rows = setting.sources["arrow"].judged.targets[:9]
    rivals = {
        name: partial(Blend(basis, weights).predict_knowing, rows=rows) for name, weights in zip(*family, strict=True)
    }
    answers = {name: unit(predict(contexts)).ravel() for name, predict in {**predictors, **rivals}.items()}
    names, stacked = list(answers), np.stack(list(answers.values()))
    similarity = stacked[: len(predictors)] @ stacked.T / len(contexts)
    assert np.isfinite(similarity).all()
    twins = [(names[i], names[j]) for i, j in zip(*np.nonzero(similarity > 1 - 1e-6), strict=True) if i < j]
    # With one corpus to learn from, the ridge that is brought along is the rivals' own.
    assert all("of-wiki" in one for one, _ in twins), twins


def test_each_answers_a_context_by_itself(setting, predictors):
    contexts = contexts_of(setting)
    for name, predict in predictors.items():
        together = predict(contexts)
        assert together.shape == contexts[:, 0].shape, name
        alone = np.concatenate([predict(contexts[i : i + 1]) for i in range(len(contexts))][::-1])[::-1]
        np.testing.assert_allclose(together, alone, atol=1e-4, err_msg=name)


def test_other_lengths_of_context_work(world):
    for context in (1, 2, 7):
        windows = windows_of(world, np.arange(12), context)
        contexts = windows.take(slice(0, 4)).contexts()
        for name, predict in library(fit((windows,), 0, {})).items():
            assert predict(contexts).shape == (4, DIM), name


def test_scores_are_those_of_the_engine(tmp_path):
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((60, 8)))
    vectors[20] = vectors[9]  # the same sentence twice in an article: an answer, not a rival
    corpus = write_corpus(tmp_path / "c", vectors, np.array([30, 30]), splits=np.full(2, "VAL"), meta={})
    windows = windows_of(corpus, np.arange(2), 5)
    predict = Ewma(0.4).predict
    evaluation = EvaluationSet("VAL", windows, np.arange(2), 0, 2)
    seen = observe(NamedPredictor(Identity("ewma"), Ewma(0.4)), evaluation, batch_size=16, ablations=False)
    kept = np.ones(len(windows), dtype=bool)
    kept[3] = False
    totals = score({"ewma": predict}, evaluation, kept)
    for g in range(2):
        mine = (seen.clusters == g) & kept
        assert totals.windows[g] == mine.sum()
        assert totals.cosine[g, 0] == pytest.approx(seen.cosine[mine].sum())
        assert totals.mrr[g, 0] == pytest.approx((1 / seen.rank[mine, 1]).sum())


def test_the_frontier_is_that_of_the_profile():
    rng = np.random.default_rng(1)
    cosine, mrr = rng.random((40, 12)), rng.random((40, 12))
    cosine[:10, 3] = cosine[:10, 4]  # equal cosines, unequal ranks
    mrr[5:15, 6] = mrr[5:15, 7]
    at = rng.uniform(-0.1, 1.1, (40, 9))
    expected = np.stack([frontier_mrr(cosine, mrr, column) for column in at.T], axis=1)
    np.testing.assert_allclose(frontier(cosine, mrr, at), expected)


def test_judged_as_the_profile_judges():
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(12), rng.integers(3, 9, 12))
    cosine, mrr = rng.random((2, len(clusters), 7))
    totals = totals_of(cosine, mrr, clusters)
    found = judge(part(totals, [0, 1]), part(totals, range(2, 7)))
    for k in range(2):
        gain, excess = Frontier.of(cosine[:, 2:], mrr[:, 2:], clusters).gains(cosine[:, k], mrr[:, k])
        assert (found.gain[k], found.gain_low[k]) == pytest.approx((gain.value, gain.low))
        assert (found.excess[k], found.excess_low[k]) == pytest.approx((excess.value, excess.low))


def test_a_rival_gains_exactly_nothing():
    cosine, mrr = np.random.default_rng(7).random((2, 60, 1)) / 3
    totals = totals_of(cosine, mrr, np.repeat(np.arange(12), 5))
    same = Totals(totals.names, totals.windows, totals.cosine + 1e-13, totals.mrr + 1e-13)
    found = judge(same, totals)
    assert found.gain[0] == found.excess[0] == found.gain_low[0] == 0
    assert not found.released(0.0).any()


def totals_of(cosine, mrr, clusters):
    return Totals.of([str(k) for k in range(cosine.shape[1])], cosine, mrr, clusters)


def part(totals, columns):
    columns = list(columns)
    names = tuple(totals.names[k] for k in columns)
    return Totals(names, totals.windows, totals.cosine[:, columns], totals.mrr[:, columns])


def test_a_release_needs_a_shown_gain_that_is_worth_having():
    windows = np.full(20, 100.0)
    noise = np.random.default_rng(3).normal(0, 0.2, (20, 1))

    def predictors(mrr, cosine):
        return Totals(("a",), windows, np.full((20, 1), cosine * 100), 100 * mrr + noise)

    rivals = predictors(0.2, 0.5)
    at_par, small, large = (judge(predictors(0.2 + more, 0.5), rivals) for more in (0.0, 0.001, 0.01))
    assert not at_par.released(0.0).any()
    assert small.released(0.0).all()
    assert not small.released(0.002).any()
    assert large.released(0.002).all()
    beyond = judge(predictors(0.1, 0.51), rivals)
    assert beyond.gain[0] < 0
    assert beyond.released(0.002).all()
    assert not beyond.released(0.02).any()


def test_draws_share_no_article_and_come_again():
    found = list(draws(25, 10, 8, seed=5))
    assert all(len(val) == len(ood) == 10 and not np.intersect1d(val, ood).size for val, ood in found)
    assert len({tuple(val) for val, _ in found}) == 8
    again = list(draws(25, 10, 8, seed=5))
    assert all(
        np.array_equal(a, b) for one, other in zip(found, again, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_both_splits_have_to_pass():
    rng = np.random.default_rng(6)
    val, ood = rng.random((2, 50, 3)) < np.array([0.0, 0.5, 1.0])
    totals = totals_of(*rng.random((2, 40, 3)), np.repeat(np.arange(8), 5))
    whole = judge(totals, totals)
    one = Outcome("x", "x", totals.names, 4, whole, rng.random((100, 3)), val, ood)
    np.testing.assert_allclose(one.both, (val & ood).mean(axis=0))
    np.testing.assert_allclose(one.one, np.concatenate([val, ood]).mean(axis=0))
    other = Outcome("x", "y", totals.names, 4, whole, rng.random((100, 3)), ood, val)
    np.testing.assert_allclose(across([one, other]), (val.mean(axis=0) + ood.mean(axis=0)) / 2)
    lines = table([one, other]).splitlines()
    assert lines[-1] == "Released more often than 2.5% somewhere: 2 of 3."
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][1:] == ["| 2", "| 1", "| 0"]


def test_the_oracle_is_released_and_a_rival_is_not(setting, monkeypatch):
    """The instrument can say both."""
    judged = setting.sources["arrow"].judged
    known = dict(zip(map(bytes, judged.contexts()), judged.target_vectors(), strict=True))
    ewma = Ewma(0.5).predict
    predictors = {
        "oracle": lambda contexts: np.stack([known[bytes(context)] for context in contexts]),
        "rival": ewma,
    }
    monkeypatch.setattr(Setting, "predictors", lambda self: predictors)
    alone = Setting({"arrow": setting.sources["arrow"]}, ("arrow",), setting.out, 0, 500)
    (found,) = outcomes(alone, count=6, each=11, smallest=0.002)
    np.testing.assert_array_equal(found.both, [1.0, 0.0])


def test_the_command_keeps_its_scores(world, tmp_path, monkeypatch):
    given = [f"w={world.path}", "--out", str(tmp_path), "--draws=3", "--articles=10"]
    first = CliRunner().invoke(main, given, catch_exceptions=False)
    assert first.exit_code == 0
    assert "scoring predictors on w" in first.output
    written = (tmp_path / "table.md").read_text()
    assert written.strip() in first.output
    for name in ("score", "score_all"):
        monkeypatch.setattr(calibrate_skill, name, None)
    again = CliRunner().invoke(main, given, catch_exceptions=False)
    assert again.output.strip() == written.strip()


def test_too_few_articles_are_no_calibration(world, tmp_path):
    given = [f"w={world.path}", "--out", str(tmp_path), "--draws=1", "--most=18"]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 1
    assert "w: 9 articles a split, and no interval holds below 10" in result.output


def test_a_corpus_that_is_only_judged_teaches_nothing(world):
    source = Source.open("w", world.path, judged_only=True, articles=99, seed=0)
    assert len(source.training) == 0
    assert len(np.unique(source.judged.clusters)) == ARTICLES
    split = Source.open("w", Path(world.path), judged_only=False, articles=99, seed=0)
    assert not np.intersect1d(split.training.clusters, split.judged.clusters).size


def test_what_is_worth_having_is_the_profile_s():
    assert calibrate_skill.worth_having() == 0.002


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["w"], "w=: no such corpus; give NAME=PATH"),
        (["w=/nowhere"], "w=/nowhere: no such corpus"),
        (["w={}", "--train=x"], "--train x: not among w"),
        (["w={}", "--judge=w", "--train=w"], "--train w: not among"),
    ],
)
def test_wrong_corpora_are_named(world, tmp_path, given, said):
    result = CliRunner().invoke(main, [*(one.format(world.path) for one in given), "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert said in result.output
