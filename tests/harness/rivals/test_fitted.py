"""Weights that are learnt: where the optimum is known, what they may not see, and that they are kept."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from lvm_gates.harness.controls.linear import HeldOut, fit_linear
from lvm_gates.harness.corpus.windows import windows_of
from lvm_gates.harness.rivals import Basis, cached_fitted_weights, fitted
from lvm_gates.harness.rivals.fitted import BETAS, fit_weights


class Silent:
    """A ridge with nothing to say."""

    def predict(self, contexts):
        return np.zeros((len(contexts), contexts.shape[2]))


def held(corpus, context=3, model=None):
    windows = windows_of(corpus, np.arange(len(corpus.starts)), context)
    return HeldOut(model or Silent(), (windows,))


@pytest.fixture
def echoing(make_corpus):
    """Each chunk is the chunk two before it and noise: the frame before the last is what predicts."""
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal(16), rng.standard_normal(16)]
    while len(rows) < 400:
        rows.append(0.9 * rows[-2] + 0.5 * rng.standard_normal(16))
    vectors = np.array(rows)
    return make_corpus([100] * 4, vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def test_the_frame_that_predicts_gets_the_weight(echoing):
    found = fit_weights(held(echoing), np.eye(16)[0], seed=0)
    assert found.shape == (len(BETAS), 5)
    assert (found[:, :3].argmax(axis=1) == 1).all()
    np.testing.assert_allclose(np.abs(found).sum(axis=1), 1.0)


def test_cosine_alone_finds_the_best_cosine_of_the_family(echoing):
    given, climatology = held(echoing), np.eye(16)[0]
    best = fit_weights(given, climatology, seed=0)[0]
    windows = given.windows[0]
    vectors, targets = Basis(climatology).of(windows.contexts(), windows.targets), windows.target_vectors()

    def mean_cosine(weights):
        blend = np.einsum("i,bid->bd", weights, vectors)
        return np.mean(np.einsum("bd,bd->b", blend, targets) / np.linalg.norm(blend, axis=1))

    reached = mean_cosine(best)
    for i in (0, 1, 2, 4):
        for step in (-0.02, 0.02):
            assert mean_cosine(best + step * np.eye(5)[i]) < reached


def test_the_gradient_is_that_of_the_loss(echoing):
    problem = fitted._problem(held(echoing), Basis(np.eye(16)[0]), 0)
    at = np.array([0.1, 0.3, 0.5, 0.0, 0.2, 1.5])
    error = check_grad(lambda x: fitted._loss(x, problem, 0.4)[0], lambda x: fitted._loss(x, problem, 0.4)[1], at)
    assert error < 1e-6


def test_negatives_are_of_the_article_and_outside_the_context(echoing):
    windows = windows_of(echoing, np.arange(4), 3)
    rows, enough = fitted._candidates(windows, np.random.default_rng(0))
    assert enough.all()
    assert np.array_equal(rows[:, 0], windows.targets)
    negatives = rows[:, 1:]
    assert (echoing.article_of[negatives] == windows.clusters[:, None]).all()
    age = windows.targets[:, None] - negatives
    assert not ((age >= 0) & (age <= 3)).any()
    assert (age < 0).any()
    assert (age > 3).any()


def test_an_article_without_negatives_teaches_nothing(make_corpus):
    corpus = make_corpus([4, 4], dim=5)
    assert fit_weights(held(corpus), np.eye(5)[0], 0).shape == (0, 5)


def test_the_ridge_inside_has_not_seen_the_windows_it_is_weighed_on(make_corpus):
    corpus = make_corpus([30] * 10, dim=4)
    fit = fit_linear([windows_of(corpus, np.arange(10), 2)], 0)
    (windows,) = fit.held_out.windows
    others = np.setdiff1d(np.arange(10), windows.clusters)
    assert fit.held_out.model.windows == len(windows_of(corpus, others, 2))
    assert fit.model.windows == len(windows_of(corpus, np.arange(10), 2))


def test_weights_are_kept_under_what_they_were_fitted_on(echoing, tmp_path, monkeypatch):
    monkeypatch.setenv("LVM_GATES_CACHE", str(tmp_path))
    training = [windows_of(echoing, np.arange(3), 3)]
    given = fit_linear(training, 0).held_out
    first = cached_fitted_weights(training, 0, given, np.eye(16)[0])
    again = cached_fitted_weights(training, 0, HeldOut(Silent(), given.windows), np.eye(16)[0])
    np.testing.assert_array_equal(first, again)  # read, not fitted
    assert len(list((tmp_path / "rivals").glob("*.npz"))) == 1
    np.testing.assert_array_equal(first, fit_weights(given, np.eye(16)[0], 0))


def test_a_handful_of_windows_does_not_send_the_temperature_to_infinity(make_corpus):
    """These were foretold without error, and the search for the best temperature overflowed."""
    rng = np.random.default_rng(81)
    dim, chunks = int(rng.integers(2, 9)), int(rng.integers(6, 12))
    vectors = rng.standard_normal((2 * chunks, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    corpus = make_corpus([chunks, chunks], vectors=vectors)
    assert np.isfinite(fit_weights(held(corpus), np.eye(dim)[0], seed=0)).all()
