"""Dataset `prose`: its chunks lie together as those of text do, and what a network could gain there is known."""

import dataclasses

import numpy as np
import pytest
from world_metrics import C, articles_of, unit, windows

from lvm_gates.harness.worlds.articles import draw_article
from lvm_gates.harness.worlds.optimum import BayesPredictor
from lvm_gates.harness.worlds.parameters import WORLDS, prose
from lvm_gates.harness.worlds.world import World

ARTICLES = 40


def drawn(law, dim, seed=0):
    mean = law.mean(dim, seed)
    parts = [draw_article(law, mean, "VAL", i, seed) for i in range(ARTICLES)]
    return articles_of(
        World(np.concatenate(parts), np.array([len(p) for p in parts]), np.repeat("VAL", ARTICLES)), "VAL"
    )


def metrics(predict, articles):
    """Mean cosine to the target, MRR and R@5 among the chunks of its article that are not in the context."""
    cosine, rank = [], []
    for article in articles:
        contexts, targets, _, position = windows([article])
        scores = unit(predict(contexts)) @ article.T
        at = np.arange(len(targets))
        own = scores[at, position].copy()
        for age in range(1, C + 1):
            scores[at, position - age] = -np.inf
        cosine.append(own)
        rank.append((scores >= own[:, None]).sum(axis=1))
    ranks = np.concatenate(rank)
    return float(np.concatenate(cosine).mean()), float((1 / ranks).mean()), float((ranks <= 5).mean())


def ewma(decay):
    weights = decay ** np.arange(C)[::-1]
    return lambda c: np.einsum("c,bcd->bd", weights, c)


# all-MiniLM-L6-v2 (384-d) on 60 Wikipedia articles of WikiText-2: cosine, MRR, R@5 in candidate set `novel`.
TEXT = {
    "persistence": (lambda c: c[:, -1], 0.395, 0.157, 0.217),
    "EWMA .3": (ewma(0.3), 0.452, 0.162, 0.223),
    "EWMA .8": (ewma(0.8), 0.503, 0.133, 0.184),
    "context mean": (lambda c: c.mean(axis=1), 0.498, 0.119, 0.163),
}


@pytest.mark.parametrize("dim", [384, 768])
def test_copying_and_averaging_score_as_they_do_on_text(dim):
    """Within .03: between 30 of those 60 articles and the other 30 cosine differs by .021, MRR by .015, R@5 by .026."""
    articles = drawn(prose(0.0), dim)
    for name, (predict, *expected) in TEXT.items():
        found = metrics(predict, articles)
        assert found == pytest.approx(expected, abs=0.03), name


def test_similarity_decays_as_in_text():
    """On text: lags 1 to 5 .396 .366 .345 .332 .324; random pairs .104."""
    articles = drawn(prose(0.0), 384)
    adjacent = [(a[:-lag] * a[lag:]).sum(axis=1) for lag in range(1, 6) for a in articles]
    by_lag = [float(np.concatenate(adjacent[i : i + ARTICLES]).mean()) for i in range(0, 5 * ARTICLES, ARTICLES)]
    assert by_lag == pytest.approx([0.396, 0.366, 0.345, 0.332, 0.324], abs=0.015)
    chunks = np.concatenate(articles)
    first, second = np.random.default_rng(0).integers(len(chunks), size=(2, 5000))
    assert (chunks[first] * chunks[second]).sum(axis=1).mean() == pytest.approx(0.104, abs=0.015)


@pytest.mark.parametrize("dim", [384, 768])
def test_a_planted_share_is_worth_what_is_stated(dim):
    """Share .01: +.008 of cosine and .03 of MRR over the best linear map, as `prose` says; nothing at share 0."""
    law = prose(0.01)
    mean, articles = law.mean(dim, 0), drawn(law, dim)
    by_share = [metrics(BayesPredictor(law, mean, follows=g).predict, articles) for g in (0.0, 0.5, 1.0)]
    assert by_share[0] < by_share[1] < by_share[2]
    gain = np.subtract(by_share[2], by_share[0])
    assert gain[0] == pytest.approx(0.0085, abs=0.0015)
    assert gain[1] == pytest.approx(0.030, abs=0.008)
    none = prose(0.0)
    contexts = windows(drawn(none, dim)[:1])[0]
    follows, does_not = (BayesPredictor(none, mean, follows=g).predict(contexts) for g in (1.0, 0.0))
    np.testing.assert_array_equal(follows, does_not)


def test_no_blend_of_frames_and_mean_lies_above_the_best_linear_map():
    """The claim that makes the gain known: at gain 0 nothing of the linear family has more cosine."""
    law = prose(0.0)
    mean, articles = law.mean(384, 0), drawn(law, 384)
    contexts, targets, _, _ = windows(articles)
    best = float((BayesPredictor(law, mean).predict(contexts) * targets).sum(axis=1).mean())
    for decay in (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 1.0):
        frames = unit(ewma(decay)(contexts))
        for share in (-0.3, 0.0, 0.3, 0.6, 1.0):
            blend = unit(frames + share * unit(mean))
            assert float((blend * targets).sum(axis=1).mean()) < best, (decay, share)


def test_turns_are_read_without_error():
    law = WORLDS["prose"]
    assert law.switch.misread(law.nu * law.profile(384)[-1] / 2) < 1e-7


def test_clear_chunks_are_near_many_and_cosines_stay_what_they_were():
    """A clarity of one's own moves no mean cosine but spreads them, as hubs do in text."""
    even, uneven = (drawn(law, 64) for law in (_with_clarity(0.0), _with_clarity(0.4)))
    flat, spread = (np.concatenate([(a[:-1] * a[1:]).sum(axis=1) for a in part]) for part in (even, uneven))
    assert spread.mean() == pytest.approx(flat.mean(), abs=0.02)
    assert spread.std() > 1.05 * flat.std()


def _with_clarity(clarity):
    return dataclasses.replace(prose(0.0), clarity=clarity)
