"""Rivals whose weights are learnt: C + 2 numbers, on training windows, for cosine and rank in many proportions.

The loss is ``(1 - cos) + beta * InfoNCE``, negatives from the window's own article outside the context, as candidate
set `novel` has them. Ridge predicts its own training windows too well, so the weights are learnt on the fifth of the
training articles that `harness.controls.linear` held out, with the ridge fitted on the other four.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import log_softmax

from lvm_gates.harness.base.cache import cached_arrays
from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.controls.linear import HeldOut, fit_key
from lvm_gates.harness.corpus.windows import Windows, sample_windows
from lvm_gates.harness.rivals.basis import Basis
from lvm_gates.harness.rivals.family import ewma_weights

# From cosine alone to rank alone: on Wikipedia the ends of the frontier.
BETAS: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# C + 2 = 7 weights are settled by far fewer: on halves of these windows they give cosines equal to 3e-4.
_WINDOWS = 2_000
_NEGATIVES = 48
# Part of the key under which weights are kept; raised when the same windows would give others.
_VERSION = 2
# Where the search starts: the temperature that optimisers reach on text.
_INVERSE_TEMPERATURE = 8.0
# Where nothing tells the target from the negatives, or all of it does, the best temperature lies at infinity.
_LOG_RANGE = (-3.0, 6.0)


class _Problem(NamedTuple):
    gram: Float[np.ndarray, "n p p"]
    products: Float[np.ndarray, "n p m"]
    """Basis times candidates, the target first."""


def cached_fitted_weights(
    training: Sequence[Windows], seed: int, held: HeldOut, climatology: Float[np.ndarray, " d"]
) -> Float[np.ndarray, "betas c_plus_2"]:
    """`fit_weights`, kept in the cache folder under the content it was fitted on."""
    digest = hashlib.sha256(f"{_VERSION}|{BETAS}|{_WINDOWS}|{_NEGATIVES}|{fit_key(training, seed)}".encode())
    return cached_arrays(
        "rivals", digest.hexdigest()[:32], ["weights"], lambda: {"weights": fit_weights(held, climatology, seed)}
    )["weights"]


def fit_weights(held: HeldOut, climatology: Float[np.ndarray, " d"], seed: int) -> Float[np.ndarray, "betas c_plus_2"]:
    """Weights for each of `BETAS`, scaled so that their sizes add to 1; none where there is nothing to learn on.

    Args:
        held: training windows that its ridge has not seen.
        climatology: (D,) unit mean of the training chunks.
        seed: of the windows and of the negatives.
    """
    problem = _problem(held, Basis(climatology, held.model), seed)
    context = held.windows[0].context
    if problem is None:
        return np.empty((0, context + 2))
    from scipy.optimize import minimize  # loaded where weights are learnt, which most sessions find in the cache

    start = np.concatenate([ewma_weights(0.6, context), [0.5, 0.0, np.log(_INVERSE_TEMPERATURE)]])
    found = []
    for beta in BETAS:
        bounds = [(None, None)] * (context + 2) + [_LOG_RANGE]
        result = minimize(
            _loss, start, (problem, beta), jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": 300}
        )
        start = result.x  # the next beta's optimum is near
        found.append(result.x[:-1] / np.abs(result.x[:-1]).sum())
    return np.array(found)


def _problem(held: HeldOut, basis: Basis, seed: int) -> _Problem | None:
    rng = rng_of(seed, Stream.FITTED_RIVALS)
    grams, products = [], []
    total = sum(len(part) for part in held.windows)
    for part in held.windows:
        if not len(part):
            continue
        windows = sample_windows(part, max(1, _WINDOWS * len(part) // total), seed)
        candidates, enough = _candidates(windows, rng)
        windows, candidates = windows.take(np.flatnonzero(enough)), candidates[enough]
        for begin in range(0, len(windows), 256):
            some = slice(begin, begin + 256)
            vectors = basis.of(windows.take(some).contexts(), windows.targets[some])
            grams.append(vectors @ vectors.transpose(0, 2, 1))
            products.append(vectors @ windows.corpus.vectors(candidates[some]).astype(np.float64).transpose(0, 2, 1))
    if not grams:
        return None
    return _Problem(np.concatenate(grams), np.concatenate(products))


def _candidates(windows: Windows, rng: np.random.Generator) -> tuple[Int[np.ndarray, "n m"], np.ndarray]:
    """The target and negatives drawn from its article outside the context; which windows have any."""
    corpus, clusters = windows.corpus, windows.clusters
    first, length = corpus.starts[clusters], corpus.lengths[clusters]
    others = length - windows.context - 1
    pick = (rng.random((len(windows), _NEGATIVES)) * np.maximum(others, 1)[:, None]).astype(np.int64)
    begin = (windows.targets - windows.context - first)[:, None]
    rows = first[:, None] + np.where(pick >= begin, pick + windows.context + 1, pick)
    rows = np.minimum(rows, (first + length - 1)[:, None])
    return np.concatenate([windows.targets[:, None], rows], axis=1), others > 0


def _loss(x: Float[np.ndarray, " p"], problem: _Problem, beta: float) -> tuple[float, np.ndarray]:
    """The loss and its gradient in the weights and the log of the inverse temperature."""
    a, scale = x[:-1], np.exp(x[-1])
    gram_a = problem.gram @ a
    norm = np.sqrt(np.maximum(gram_a @ a, 1e-12))
    similarity = np.einsum("i,nim->nm", a, problem.products) / norm[:, None]
    log_share = log_softmax(scale * similarity, axis=1)
    count = len(norm)
    value = np.mean(1.0 - similarity[:, 0]) - beta * np.mean(log_share[:, 0])
    slope = beta * scale * np.exp(log_share)  # d value / d similarity, times n
    slope[:, 0] -= 1.0 + beta * scale
    pulled = np.einsum("nim,nm->ni", problem.products, slope) / norm[:, None]
    shrink = np.einsum("nm,nm->n", similarity, slope) / norm**2
    gradient = (pulled - shrink[:, None] * gram_a).sum(axis=0) / count
    warm = beta * scale * np.mean(np.einsum("nm,nm->n", np.exp(log_share), similarity) - similarity[:, 0])
    return float(value), np.append(gradient, warm)
