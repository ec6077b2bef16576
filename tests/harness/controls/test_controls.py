"""Controls do what their names say; the fitted ones see training articles only."""

import numpy as np
import pytest

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.controls import (
    CONTROL_NAMES,
    STANDARD_CONTROLS,
    Ingredients,
    build_control,
    control_name,
    registry,
)
from lvm_gates.harness.controls import linear as linear_module
from lvm_gates.harness.controls import oracle as oracle_module
from lvm_gates.harness.controls.linear import PENALTIES, cached_linear, fit_linear
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.predictors.predictor import OraclePredictor, Predictor
from lvm_gates.harness.worlds.optimum import BayesPredictor

CONTEXTS = np.random.default_rng(0).standard_normal((6, 4, 5)).astype(np.float32)


@pytest.fixture
def corpus(make_corpus):
    return make_corpus([14, 12, 13, 11, 10, 9], dim=5, splits=["TRAIN"] * 4 + ["VAL", "OOD"])


@pytest.fixture
def ingredients(corpus):
    return Ingredients(corpus, (windows_of(corpus, corpus.articles("TRAIN"), 3),), 0)


@pytest.fixture
def predict(ingredients):
    return lambda name, contexts=CONTEXTS: build_control(name, ingredients).predict(contexts)


def test_ewma_runs_from_persistence_to_the_context_mean(predict):
    np.testing.assert_allclose(unit(predict("persistence")), unit(CONTEXTS[:, -1]), atol=1e-12)
    np.testing.assert_allclose(
        unit(predict("context-mean")), unit(CONTEXTS.astype(np.float64).mean(axis=1)), atol=1e-12
    )
    a, b, c, d = CONTEXTS.astype(np.float64).transpose(1, 0, 2)
    for name, g in (("ewma-0.3", 0.3), ("ewma", 0.8), ("ewma-0.9", 0.9)):
        np.testing.assert_allclose(unit(predict(name)), unit(d + g * c + g**2 * b + g**3 * a), atol=1e-12)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_backward_is_the_frame_before_the_last_where_there_is_one(predict, frames):
    contexts = np.random.default_rng(1).standard_normal((3, frames, 5)).astype(np.float32)
    np.testing.assert_array_equal(predict("backward", contexts), contexts[:, -2 if frames > 1 else -1])


def test_climatology_is_the_mean_direction_of_training_targets(corpus, ingredients):
    targets = [t for a, n in enumerate(corpus.lengths[:4]) for t in range(corpus.starts[a] + 3, corpus.starts[a] + n)]
    expected = unit(unit(corpus.raw(np.array(targets))).sum(axis=0))
    found = build_control("climatology", ingredients).predict(CONTEXTS)
    np.testing.assert_allclose(found, np.tile(expected, (6, 1)), atol=1e-6)


def test_constant_is_one_unit_vector_and_the_noisy_one_hides_it_a_little(predict):
    constant, noisy = predict("constant"), predict("noisy-constant")
    assert (constant == constant[0]).all()
    assert np.linalg.norm(constant[0]) == pytest.approx(1)
    apart = noisy - constant
    assert 1e-5 < np.abs(apart).max() < 1e-3
    assert (np.ptp(noisy, axis=0) > 0).all()


def test_nan_is_nan(predict):
    assert np.isnan(predict("nan")).all()


@pytest.mark.parametrize("name", ["random", "noisy-constant"])
def test_chance_is_a_function_of_the_context_alone(predict, name):
    whole = predict(name)
    order = [3, 0, 5, 1, 4, 2]
    np.testing.assert_array_equal(predict(name, CONTEXTS[order]), whole[order])
    np.testing.assert_array_equal(predict(name, CONTEXTS[2:3])[0], whole[2])
    assert len(np.unique(whole, axis=0)) == 6
    moved = CONTEXTS[:1].copy()
    moved[0, 0, 0] = np.nextafter(moved[0, 0, 0], np.float32(9))
    assert not np.allclose(predict(name, moved), whole[:1], atol=1e-9)
    np.testing.assert_array_equal(predict(name, CONTEXTS.astype(np.float64)), whole)


def test_random_directions_are_isotropic(predict):
    many = np.random.default_rng(2).standard_normal((4000, 1, 5)).astype(np.float32)
    found = unit(predict("random", many))
    assert np.abs(found.mean(axis=0)).max() < 4 * np.sqrt(1 / 5 / 4000)
    np.testing.assert_allclose(found.T @ found / 4000, np.eye(5) / 5, atol=0.02)


@pytest.mark.parametrize("compared", [2, 100])
def test_the_oracle_tells_the_truth_and_answers_a_spoiled_context_with_its_last_frame(
    make_corpus, monkeypatch, compared
):
    monkeypatch.setattr(oracle_module, "_COMPARED", compared)
    corpus = make_corpus([9, 9], dim=5, jumps={13: 2})
    windows = windows_of(corpus, np.arange(2), 3)
    assert windows.targets.tolist() == [3, 4, 5, 6, 7, 8, 12, 16, 17]
    contexts = windows.contexts()
    oracle = build_control("oracle", Ingredients(corpus, (), 0))
    np.testing.assert_array_equal(oracle.predict_knowing(contexts, windows.targets), windows.target_vectors())
    for order in ([0, 2, 1], [2, 1, 0], [1, 0, 2], [2, 2, 2]):
        spoiled = contexts[:, order]
        np.testing.assert_array_equal(oracle.predict_knowing(spoiled, windows.targets), spoiled[:, -1])
    # Told a row that is one off: the context is not the run before it.
    shifted = windows.targets[:-1] + 1
    np.testing.assert_array_equal(oracle.predict_knowing(contexts[:-1], shifted), contexts[:-1, -1])
    # A run that crosses into the next article, or spans the gap before row 13, is no context.
    for row in (9, 10, 13, 15):
        crossing = corpus.vectors(np.arange(row - 3, row))[None]
        np.testing.assert_array_equal(oracle.predict_knowing(crossing, np.array([row])), crossing[:, -1])
    assert isinstance(oracle, OraclePredictor)
    assert not isinstance(oracle, Predictor)


def test_the_skip_is_one_chunk_past_the_truth_and_stops_at_the_end_of_the_article(make_corpus):
    corpus = make_corpus([6, 6], dim=5)
    windows = windows_of(corpus, np.arange(2), 3)
    assert windows.targets.tolist() == [3, 4, 5, 9, 10, 11]
    skip = build_control("skip", Ingredients(corpus, (), 0))
    expected = corpus.vectors(np.array([4, 5, 4, 10, 11, 10]))
    np.testing.assert_array_equal(skip.predict_knowing(windows.contexts(), windows.targets), expected)


def closed_form(corpus, targets, context, penalty):
    """Centred ridge by stacking rows, the penalty relative to the mean eigenvalue; in float64."""
    x = np.array([unit(corpus.raw(np.arange(t - context, t))).ravel() for t in targets])
    y = unit(corpus.raw(np.array(targets)))
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean_x
    n = len(x)
    scale = penalty * np.trace(centred.T @ centred / n) / x.shape[1]
    # The normal equations as an augmented least-squares problem: another path to the same answer.
    rows = np.concatenate([centred, np.sqrt(n * scale) * np.eye(x.shape[1])])
    aims = np.concatenate([y - mean_y, np.zeros((x.shape[1], y.shape[1]))])
    weights, *_ = np.linalg.lstsq(rows, aims, rcond=None)
    return weights, mean_y - mean_x @ weights


@pytest.mark.parametrize("penalty", [1e-2, 10.0])
def test_ridge_equals_its_closed_form_over_all_training_windows(make_corpus, monkeypatch, penalty):
    monkeypatch.setattr(linear_module, "PENALTIES", (penalty,))
    monkeypatch.setattr(linear_module, "_CHUNK", 7)
    corpus = make_corpus([14, 12, 13, 16, 15], dim=3, seed=4)
    windows = windows_of(corpus, np.arange(5), 2)
    found = fit_linear([windows], seed=0).model
    weights, bias = closed_form(corpus, windows.targets, 2, penalty)
    assert found.windows == len(windows) == 60
    np.testing.assert_allclose(found.weights, weights, atol=2e-5)
    np.testing.assert_allclose(found.bias, bias, atol=2e-5)
    contexts = windows.contexts()
    np.testing.assert_allclose(found.predict(contexts), contexts.reshape(60, -1) @ weights + bias, atol=5e-5)


def test_ridge_of_two_corpora_is_ridge_of_their_windows_together(make_corpus, monkeypatch):
    monkeypatch.setattr(linear_module, "PENALTIES", (0.1,))
    vectors = unit(np.random.default_rng(0).standard_normal((60, 4)))
    whole = make_corpus([15] * 4, vectors=vectors)
    one, two = make_corpus([15] * 2, vectors=vectors[:30]), make_corpus([15] * 2, vectors=vectors[30:])
    together = fit_linear([windows_of(whole, np.arange(4), 2)], 0).model
    parts = fit_linear([windows_of(one, np.arange(2), 2), windows_of(two, np.arange(2), 2)], 0).model
    assert parts.windows == together.windows
    np.testing.assert_allclose(parts.weights, together.weights, atol=1e-5)


def test_the_penalty_follows_the_signal(make_corpus):
    """A chain that is a rotation wants almost none, pure noise as much as there is."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    chunks = []
    for article in range(12):
        x = np.random.default_rng([1, article]).standard_normal(6)
        for _ in range(15):
            chunks.append(x)
            x = turn @ x
    law, noise = make_corpus([15] * 12, vectors=unit(np.array(chunks))), make_corpus([15] * 12, dim=6, seed=3)
    assert fit_linear([windows_of(law, np.arange(12), 2)], 0).model.penalty == PENALTIES[0]
    assert fit_linear([windows_of(noise, np.arange(12), 2)], 0).model.penalty >= 1.0


def test_one_training_article_is_enough(make_corpus):
    windows = windows_of(make_corpus([30], dim=4), np.arange(1), 2)
    found = fit_linear([windows], 0).model
    assert found.windows == 28
    assert found.penalty in PENALTIES
    assert np.isfinite(found.predict(windows.contexts())).all()


@pytest.mark.parametrize("poison", ["nan", "huge", "another"])
@pytest.mark.parametrize("name", ["linear", "climatology", "constant"])
def test_judged_articles_never_touch_a_fit(make_corpus, corpus, ingredients, name, poison):
    vectors = np.array(corpus.stored)
    vectors[corpus.starts[4] :] = {"nan": np.nan, "huge": 1e30, "another": vectors[:19]}[poison]
    poisoned = make_corpus(corpus.lengths, vectors=vectors, splits=corpus.splits)
    training = (windows_of(poisoned, poisoned.articles("TRAIN"), 3),)
    contexts = np.random.default_rng(3).standard_normal((4, 3, 5)).astype(np.float32)
    clean = build_control(name, ingredients).predict(contexts)
    np.testing.assert_array_equal(build_control(name, Ingredients(poisoned, training, 0)).predict(contexts), clean)


def test_a_training_article_does_touch_the_fit(make_corpus, corpus, ingredients):
    """The poison test can fail: one training chunk moved is noticed."""
    vectors = np.array(corpus.stored)
    vectors[5] = -vectors[5]
    moved = make_corpus(corpus.lengths, vectors=vectors, splits=corpus.splits)
    training = (windows_of(moved, moved.articles("TRAIN"), 3),)
    contexts = np.random.default_rng(3).standard_normal((4, 3, 5)).astype(np.float32)
    for name in ("linear", "climatology"):
        there, here = (build_control(name, i).predict(contexts) for i in (ingredients, Ingredients(moved, training, 0)))
        assert np.abs(there - here).max() > 1e-4


def test_every_control_is_known_by_name_and_fits_the_contract(corpus, ingredients):
    assert set(STANDARD_CONTROLS) <= set(CONTROL_NAMES)
    contexts = windows_of(corpus, np.arange(6), 3).contexts()
    for name in set(CONTROL_NAMES) - {"bayes"}:
        control = build_control(name, ingredients)
        assert isinstance(control, Predictor) != isinstance(control, OraclePredictor)
        if isinstance(control, Predictor):
            assert control.predict(contexts).shape == (len(contexts), 5), name


def test_bayes_is_there_in_a_world_and_only_there(wiki, ingredients):
    assert isinstance(build_control("bayes", Ingredients(wiki, (), 0)), BayesPredictor)
    with pytest.raises(UserError, match="synthetic"):
        build_control("bayes", ingredients)


def test_aliases_and_near_misses():
    assert control_name("ridge") == "linear"
    assert control_name("copy-last") == "persistence"
    with pytest.raises(UserError, match="control:orcale: no such control; did you mean 'oracle'"):
        control_name("orcale")


def test_a_cached_fit_is_the_fit_and_belongs_to_its_windows(make_corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    corpus = make_corpus([30, 30, 30], dim=6)
    some, all_ = windows_of(corpus, np.arange(2), 2), windows_of(corpus, np.arange(3), 2)
    for windows in (some, all_, some):
        fitted, kept = fit_linear([windows], 0).model, cached_linear([windows], 0).model
        assert np.array_equal(fitted.weights, kept.weights)
        assert np.array_equal(fitted.bias, kept.bias)
        assert (fitted.penalty, fitted.windows) == (kept.penalty, kept.windows)
    assert len(list((tmp_path / "linear").glob("*.npz"))) == 2


def test_a_fit_that_cannot_be_kept_is_still_made(make_corpus, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path / "file"))
    windows = windows_of(make_corpus([30, 30], dim=6), np.arange(2), 2)
    assert np.array_equal(cached_linear([windows], 0).model.weights, fit_linear([windows], 0).model.weights)


def test_a_cached_fit_belongs_to_its_seed(make_corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    monkeypatch.setattr(linear_module, "MAX_WINDOWS", 30)
    windows = windows_of(make_corpus([30, 30, 30], dim=6), np.arange(3), 2)
    kept = {seed: cached_linear([windows], seed).model.weights for seed in (0, 1)}
    assert not np.array_equal(kept[0], kept[1])
    for seed, weights in kept.items():
        assert np.array_equal(weights, fit_linear([windows], seed).model.weights)


def test_climatology_of_a_large_corpus_is_that_of_a_sample_of_all_its_articles(make_corpus, monkeypatch):
    monkeypatch.setattr(registry, "_CLIMATOLOGY_SAMPLE", 40)
    corpus = make_corpus([103, 103], vectors=np.repeat(np.eye(4)[:2], 103, axis=0), splits="TRAIN")
    windows = windows_of(corpus, np.arange(2), 3)
    found = [Ingredients(corpus, (windows,), seed).climatology.vector for seed in (0, 0, 1)]
    shares = [v[0] / (v[0] + v[1]) for v in found]
    # Of 40 windows drawn from two halves, 20 with a standard deviation of 2.8.
    assert all(0.25 < share < 0.75 for share in shares)
    assert shares[0] == shares[1] != shares[2]
