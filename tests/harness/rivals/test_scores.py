"""All rivals at once against each of them asked the ordinary way."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.evaluation.observe import observe
from lvm_gates.harness.predictors.predictor import Identity, NamedPredictor
from lvm_gates.harness.rivals import (
    Basis,
    Blend,
    Domain,
    Family,
    RivalScores,
    blend_of,
    family_of,
    score_all,
    score_rivals,
)
from lvm_gates.harness.rivals import scores as scores_module


class Mixing:
    """A linear map without symmetry, in place of a fitted ridge."""

    def __init__(self, context, dim, seed=0):
        self.map = np.random.default_rng(seed).standard_normal((context, dim, dim)) / dim

    def predict(self, contexts):
        # In float64, so that two ways of asking agree to rounding.
        return np.einsum("bcd,cde->be", contexts.astype(np.float64), self.map)


def basis_of(dim, context=3):
    return Basis(unit(np.random.default_rng(1).standard_normal((1, dim)))[0], Mixing(context, dim))


@pytest.fixture
def evaluation(make_corpus, make_set):
    """Articles of unequal length, equal chunks, a copy of the last frame as target, and a gap."""
    corpus = make_corpus([9, 30, 14], dim=6, copies={5: 2, 20: 19, 40: 12}, jumps={25: 3})
    return make_set(corpus)


def test_scores_equal_those_of_the_rival_asked_directly(evaluation):
    basis, family = basis_of(6), family_of(3)
    found = score_rivals(evaluation, family, basis)
    assert found.names == family.names
    for i in range(0, len(family.names), 17):
        direct = observe(
            NamedPredictor(Identity("direct"), Blend(basis, family.weights[i])),
            evaluation,
            batch_size=64,
            ablations=False,
        )
        np.testing.assert_allclose(found.cosine[:, i], direct.cosine, atol=1e-10)
        np.testing.assert_allclose(1 / found.reciprocal_rank[:, i], direct.rank[:, 1], atol=1e-10)


def test_ties_share_their_places(make_corpus, make_set):
    """Two copies of one rival chunk tie with each other, and a constant prediction ties with whatever equals it."""
    corpus = make_corpus([8], dim=4, copies={0: 7, 1: 7})
    evaluation = make_set(corpus)
    family = Family(("climatology",), np.array([[0.0, 0, 0, 0, 1]]))
    basis = Basis(corpus.vectors(np.array([7]))[0].astype(np.float64))
    found = score_rivals(evaluation, family, basis)
    direct = observe(
        NamedPredictor(Identity("c"), Blend(basis, family.weights[0])), evaluation, batch_size=8, ablations=False
    )
    np.testing.assert_allclose(1 / found.reciprocal_rank[:, 0], direct.rank[:, 1])
    assert (direct.rank[:, 1] % 1 == 0.5).any() or (direct.rank[:, 1] > 1).any()


def test_nothing_depends_on_how_the_work_is_cut(evaluation, monkeypatch):
    whole = score_rivals(evaluation, family_of(3), basis_of(6))
    monkeypatch.setattr(scores_module, "_CHUNK", 3)
    monkeypatch.setattr(scores_module, "_CELLS", 50)
    parts = score_rivals(evaluation, family_of(3), basis_of(6))
    np.testing.assert_allclose(whole.cosine, parts.cosine, atol=1e-13)
    np.testing.assert_array_equal(whole.reciprocal_rank, parts.reciprocal_rank)


def test_a_rival_whose_frames_cancel_is_no_rival(make_corpus, make_set):
    corpus = make_corpus([8], dim=4, copies={3: 2})
    family = Family(("persistence", "change"), np.array([[0.0, 0, 1, 0, 0], [0, -1, 1, 0, 0]]))
    found = score_rivals(make_set(corpus), family, basis_of(4))
    assert found.names == ("persistence",)
    assert found.weights.shape == (1, 5)
    assert found.cosine.shape[1] == found.reciprocal_rank.shape[1] == 1


def test_small_products_are_left_to_one_thread_and_others_are_not(evaluation):
    class Asking(Mixing):
        def predict(self, contexts):
            seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
            return super().predict(contexts)

    seen = []
    with threadpool_limits(2, user_api="blas"):
        score_rivals(evaluation, family_of(3), Basis(unit(np.ones((1, 6)))[0], Asking(3, 6)))
        after = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert set(seen) == {1}
    assert after == {2}


def test_scores_survive_a_file(evaluation, tmp_path):
    found = score_rivals(evaluation, family_of(3), basis_of(6))
    found.save(tmp_path / "rivals.npz")
    read = RivalScores.load(tmp_path / "rivals.npz")
    assert read.names == found.names
    for field in ("weights", "cosine", "reciprocal_rank"):
        np.testing.assert_array_equal(getattr(read, field), getattr(found, field))
    few = read.take(np.array([2, 0]))
    np.testing.assert_array_equal(few.cosine, found.cosine[[2, 0]])


def test_without_a_ridge_its_place_is_empty(evaluation):
    basis = Basis(np.eye(6)[0])
    vectors = basis.of(evaluation.windows.contexts(), evaluation.windows.targets)
    assert not vectors[:, 3].any()
    np.testing.assert_array_equal(vectors[:, :3], evaluation.windows.contexts().astype(np.float64))
    np.testing.assert_array_equal(vectors[:, 4], np.tile(np.eye(6)[0], (len(vectors), 1)))


def test_a_domain_is_the_split_without_the_windows_own_article(make_corpus):
    corpus = make_corpus([5, 7, 9], dim=4)
    domain = Domain.of(corpus, np.array([0, 1]))
    rows = np.array([2, 6, 20])
    expected = [corpus.vectors(r).sum(axis=0) for r in (np.arange(5, 12), np.arange(5), np.arange(12))]
    np.testing.assert_allclose(domain.means(rows), unit(np.array(expected)), atol=1e-6)


def test_the_only_article_of_a_split_has_no_domain(make_corpus):
    corpus = make_corpus([6], dim=4)
    assert not Domain.of(corpus, np.array([0])).means(np.array([3, 5])).any()


def test_rivals_that_know_the_domain_are_scored_and_asked_alike(evaluation):
    basis = basis_of(6)
    found = score_all(evaluation, np.full((1, 5), 0.2), basis)
    assert len(set(found.names)) == len(found.names)
    assert "fitted-0" in found.names
    for name in ("domain", "ewma-0.8 +0.1 domain", "ewma-0.8 +0.6 ridge", "fitted-0"):
        direct = observe(
            NamedPredictor(Identity(name), blend_of(name, found, basis, evaluation)),
            evaluation,
            batch_size=64,
            ablations=False,
        )
        i = found.names.index(name)
        np.testing.assert_allclose(found.cosine[:, i], direct.cosine, atol=1e-10)
        np.testing.assert_allclose(1 / found.reciprocal_rank[:, i], direct.rank[:, 1], atol=1e-10)
