"""The ridge control: the best linear map from the flattened context, fitted on the training split only."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lvm_gates.harness.base.cache import cached_arrays
from lvm_gates.harness.base.seeding import Stream, rng_of
from lvm_gates.harness.base.vectors import unit
from lvm_gates.harness.corpus.windows import Windows, sample_windows

# More windows make a stronger control: fitted on 10,000, 30,000 and 112,566 windows of Brown and PEPs (384-d) it has
# cosine .406, .449 and .474 on Wikipedia, in 4, 6 and 13 seconds on two cores. Beyond this the normal equations of
# C x D = 3,840 inputs take minutes.
MAX_WINDOWS = 120_000
HELD_OUT = 0.2
# Relative to the mean eigenvalue of the Gram matrix. The best was .01 in dataset `arrow`, .3 to 3 on real text (3 for
# 10,000 windows, .3 for 112,566): inside the grid.
PENALTIES = (1e-3, 1e-2, 1e-1, 0.3, 1.0, 3.0, 10.0, 30.0)
# Part of the key under which fits are kept; raised when the same windows would give another fit.
_VERSION = 2
_CHUNK = 1024


@dataclass(frozen=True)
class Linear:
    """y = W flat(context) + b.

    Attributes:
        weights: (C*D, D).
        bias: (D,).
        penalty: the relative ridge penalty that won on held-out training articles.
        windows: how many training windows it was fitted on.
    """

    weights: Float[np.ndarray, "cd d"]
    bias: Float[np.ndarray, " d"]
    penalty: float
    windows: int

    def predict(self, contexts: Float[np.ndarray, "b c d"]) -> Float[np.ndarray, "b d"]:
        return np.asarray(contexts.reshape(len(contexts), -1) @ self.weights + self.bias)


class HeldOut(NamedTuple):
    """A ridge regression and training windows that it has not seen.

    Attributes:
        model: fitted on four fifths of the training articles.
        windows: of the others, one item a corpus.
    """

    model: Linear
    windows: tuple[Windows, ...]


class LinearFit(NamedTuple):
    """The control, and what rivals may learn weights on."""

    model: Linear
    held_out: HeldOut


@dataclass
class _Moments:
    """Sums from which a ridge regression is solved, centred or not."""

    n: int
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray

    @classmethod
    def of(cls, windows: Sequence[Windows], inputs: int, outputs: int) -> "_Moments":
        total = cls(0, np.zeros(inputs), np.zeros(outputs), np.zeros((inputs, inputs)), np.zeros((inputs, outputs)))
        for part in windows:
            for batch in part.batches(_CHUNK):
                x, y = batch.contexts().reshape(len(batch), -1), batch.target_vectors()
                total.n += len(batch)
                total.x += x.sum(axis=0)
                total.y += y.sum(axis=0)
                # A float32 product of 1,024 unit vectors, summed in float64: half the time, 1e-6 of relative error.
                total.xx += x.T @ x
                total.xy += x.T @ y
        return total

    def __add__(self, other: "_Moments") -> "_Moments":
        return _Moments(self.n + other.n, self.x + other.x, self.y + other.y, self.xx + other.xx, self.xy + other.xy)

    def solve(self, penalty: float) -> Linear:
        mean_x, mean_y = self.x / self.n, self.y / self.n
        gram = self.xx / self.n - np.outer(mean_x, mean_x)
        cross = self.xy / self.n - np.outer(mean_x, mean_y)
        gram[np.diag_indices_from(gram)] += penalty * np.trace(gram) / len(gram)
        weights = linalg.solve(gram, cross, assume_a="pos", overwrite_a=True)
        return Linear(weights.astype(np.float32), (mean_y - mean_x @ weights).astype(np.float32), penalty, self.n)


def fit_linear(training: Sequence[Windows], seed: int) -> LinearFit:
    """Fit on training windows, the penalty chosen on a fifth of the training articles, then refit on all of them.

    Args:
        training: windows of the training split, of one or several corpora; none of VAL or OOD.
        seed: of the subsample and of the choice of held-out articles.
    """
    fit, held = _hold_out(training, seed)
    dim, context = training[0].corpus.dim, training[0].context
    fit_moments = _Moments.of(fit, context * dim, dim)
    held_moments = _Moments.of(held, context * dim, dim)
    if fit_moments.n == 0:  # a single training article: nothing to choose a penalty on
        only = held_moments.solve(PENALTIES[len(PENALTIES) // 2])
        return LinearFit(only, HeldOut(only, held))
    candidates = {penalty: fit_moments.solve(penalty) for penalty in PENALTIES}
    best = max(PENALTIES, key=lambda penalty: _mean_cosine(candidates[penalty], held))
    return LinearFit((fit_moments + held_moments).solve(best), HeldOut(candidates[best], held))


def _hold_out(training: Sequence[Windows], seed: int) -> tuple[tuple[Windows, ...], tuple[Windows, ...]]:
    """At most `MAX_WINDOWS` windows, those of four fifths of the articles and those of the others."""
    total = sum(len(part) for part in training)
    rng = rng_of(seed, Stream.RIDGE)
    fit, held = [], []
    for part in training:
        chosen = sample_windows(part, max(1, MAX_WINDOWS * len(part) // total), seed)
        articles = np.unique(chosen.clusters)
        out = rng.choice(articles, size=max(1, int(HELD_OUT * len(articles))), replace=False)
        is_out = np.isin(chosen.clusters, out)
        fit.append(chosen.take(np.flatnonzero(~is_out)))
        held.append(chosen.take(np.flatnonzero(is_out)))
    return tuple(fit), tuple(held)


def fit_key(training: Sequence[Windows], seed: int) -> str:
    """What a fit depends on, as a digest."""
    digest = hashlib.sha256(json.dumps([_VERSION, MAX_WINDOWS, PENALTIES, seed]).encode())
    for part in training:
        digest.update(f"{part.corpus.fingerprint}|{part.context}|".encode())
        digest.update(np.ascontiguousarray(part.targets, dtype=np.int64).tobytes())
    return digest.hexdigest()


def cached_linear(training: Sequence[Windows], seed: int) -> LinearFit:
    """`fit_linear`, kept in the cache folder under the content it was fitted on; one process fits, others wait."""
    prefixes, parts = ("", "held_out_"), ("weights", "bias", "penalty", "windows")

    def fit() -> dict[str, np.ndarray]:
        fitted = fit_linear(training, seed)
        models = zip(prefixes, (fitted.model, fitted.held_out.model), strict=True)
        return {f"{prefix}{part}": np.asarray(getattr(model, part)) for prefix, model in models for part in parts}

    names = [f"{prefix}{part}" for prefix in prefixes for part in parts]
    stored = cached_arrays("linear", fit_key(training, seed)[:32], names, fit)
    model, held_out = (
        Linear(
            stored[f"{prefix}weights"],
            stored[f"{prefix}bias"],
            float(stored[f"{prefix}penalty"]),
            int(stored[f"{prefix}windows"]),
        )
        for prefix in prefixes
    )
    return LinearFit(model, HeldOut(held_out, _hold_out(training, seed)[1]))


def _mean_cosine(model: Linear, windows: Sequence[Windows]) -> float:
    cosines = [
        np.einsum("bd,bd->b", unit(model.predict(batch.contexts())), unit(batch.target_vectors()))
        for part in windows
        for batch in part.batches(_CHUNK)
    ]
    return float(np.mean(np.concatenate(cosines)))
