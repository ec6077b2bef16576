"""What the trivial predictors of `ci.trivial_library` learn: means, spectra, ridges and a memory of training chunks.

All of it is fitted on training windows. Of another corpus than the rivals' comes only what is called foreign: a mean
and a ridge that somebody brings along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import faiss
import numpy as np
from jaxtyping import Float, Int
from scipy import linalg

from lvm_gates.harness.controls.linear import Linear
from lvm_gates.harness.controls.registry import Ingredients
from lvm_gates.harness.corpus.windows import Windows, sample_windows

FIT_WINDOWS = 20_000
MEMORY_CHUNKS = 20_000
NEIGHBOURS = 8
# Relative penalties on either side of those that win on real text (.3 to 3, `harness.controls.linear`).
LIGHT, USUAL, HEAVY = 0.03, 1.0, 30.0


@dataclass
class Memory:
    """Training chunks and what followed each of them.

    Attributes:
        chunks: (M, D) unit vectors.
        successors: (M, D) unit vectors.
    """

    chunks: Float[np.ndarray, "m d"]
    successors: Float[np.ndarray, "m d"]
    _asked: Float[np.ndarray, "b d"] | None = field(default=None, repr=False)
    _found: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)

    def nearest(self, queries: Float[np.ndarray, "b d"]) -> tuple[Float[np.ndarray, "b k"], Int[np.ndarray, "b k"]]:
        """Cosines and positions of the nearest chunks; the last answer is kept, several predictors ask the same."""
        if self._asked is None or self._found is None or not np.array_equal(self._asked, queries):
            flat = np.ascontiguousarray(queries, dtype=np.float32)
            self._found = faiss.knn(flat, self.chunks, NEIGHBOURS, metric=faiss.METRIC_INNER_PRODUCT)
            self._asked = queries.copy()
        return self._found


@dataclass(frozen=True)
class Fitted:
    """Everything learned from the training windows of one setting.

    Attributes:
        linear: the ridge control itself.
        climatology: (D,) the climatology control itself.
        mean: (D,) mean of the training chunks, not normalised.
        basis: (D, D) their principal components in columns, the largest variance first.
        variance: (D,) along each.
        ridges: further linear maps from the flattened context, by name.
        by_component: (C, D) for each principal component, weights of the frames fitted on that component alone.
        memory: training chunks with their successors.
        foreign: climatology and ridge of other corpora, by name.
    """

    linear: Linear
    climatology: Float[np.ndarray, " d"]
    mean: Float[np.ndarray, " d"]
    basis: Float[np.ndarray, "d d"]
    variance: Float[np.ndarray, " d"]
    ridges: Mapping[str, Linear]
    by_component: Float[np.ndarray, "c d"]
    memory: Memory
    foreign: Mapping[str, tuple[Float[np.ndarray, " d"], Linear]]


def fit(training: Sequence[Windows], seed: int, foreign: Mapping[str, Sequence[Windows]]) -> Fitted:
    """Fit everything.

    Args:
        training: the windows that the rivals' ridge and climatology are fitted on too.
        seed: of every subsample.
        foreign: windows of other corpora, by name.
    """
    own = _ingredients(training, seed)
    contexts, targets = _sample(training, FIT_WINDOWS, seed)
    mean = targets.mean(axis=0, dtype=np.float64)
    variance, basis = linalg.eigh(np.cov(targets.T.astype(np.float64)))
    variance, basis = np.maximum(variance[::-1], 0), basis[:, ::-1]
    frames, followers = _sample(training, MEMORY_CHUNKS, seed + 1)
    brought = {name: _ingredients(windows, seed) for name, windows in foreign.items()}
    return Fitted(
        linear=own.linear,
        climatology=own.climatology.vector,
        mean=mean,
        basis=basis,
        variance=variance,
        ridges=_ridges(contexts, targets),
        by_component=_by_component((contexts - mean) @ basis, (targets - mean) @ basis),
        memory=Memory(np.ascontiguousarray(frames[:, -1]), followers),
        foreign={name: (one.climatology.vector, one.linear) for name, one in brought.items()},
    )


def _ingredients(windows: Sequence[Windows], seed: int) -> Ingredients:
    return Ingredients(windows[0].corpus, windows, seed)


def _sample(
    training: Sequence[Windows], limit: int, seed: int
) -> tuple[Float[np.ndarray, "n c d"], Float[np.ndarray, "n d"]]:
    """Contexts and targets of at most ``limit`` windows, as many of each corpus."""
    parts = [sample_windows(part, limit // len(training), seed) for part in training]
    return (
        np.concatenate([part.contexts() for part in parts]),
        np.concatenate([part.target_vectors() for part in parts]),
    )


def _ridges(contexts: Float[np.ndarray, "n c d"], targets: Float[np.ndarray, "n d"]) -> dict[str, Linear]:
    n, frames, dim = contexts.shape
    flat = contexts.reshape(n, -1)
    usual = _ridge(flat, targets, USUAL)
    maps = {
        "light": _ridge(flat, targets, LIGHT),
        "heavy": _ridge(flat, targets, HEAVY),
        "rank-twelfth": _low_rank(usual, flat, dim // 12),
        "rank-quarter": _low_rank(usual, flat, dim // 4),
    }
    for name, weights in {"to-last": np.eye(frames)[-1], "to-mean": np.full(frames, 1 / frames)}.items():
        # Shrunk towards that predictor, not towards the mean.
        base = np.kron(weights[:, None], np.eye(dim)).astype(np.float32)
        rest = _ridge(flat, targets - flat @ base, HEAVY)
        maps[name] = replace(rest, weights=rest.weights + base)
    for name, count in {"one-frame": 1, "two-frames": min(2, frames)}.items():
        few = _ridge(contexts[:, -count:].reshape(n, -1), targets, USUAL)
        nothing = np.zeros(((frames - count) * dim, dim), dtype=np.float32)
        maps[name] = replace(few, weights=np.concatenate([nothing, few.weights]))
    return maps


def _ridge(x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n d"], penalty: float) -> Linear:
    """One ridge regression of given relative penalty; `harness.controls.linear` chooses among several."""
    mean_x, mean_y = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
    gram = (x.T @ x).astype(np.float64) / len(x) - np.outer(mean_x, mean_x)
    cross = (x.T @ y).astype(np.float64) / len(x) - np.outer(mean_x, mean_y)
    gram[np.diag_indices_from(gram)] += penalty * np.trace(gram) / len(gram)
    weights = linalg.solve(gram, cross, assume_a="pos", overwrite_a=True)
    return Linear(weights.astype(np.float32), (mean_y - mean_x @ weights).astype(np.float32), penalty, len(x))


def _low_rank(linear: Linear, flat: Float[np.ndarray, "n p"], rank: int) -> Linear:
    """The same map, its predictions kept in their ``rank`` largest principal components."""
    predicted = flat @ linear.weights
    middle = predicted.mean(axis=0)
    kept = linalg.eigh(np.cov(predicted.T))[1][:, -rank:].astype(np.float32)
    projection = kept @ kept.T
    bias = middle + linear.bias - middle @ projection
    return replace(linear, weights=linear.weights @ projection, bias=bias)


def _by_component(contexts: Float[np.ndarray, "n c d"], targets: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "c d"]:
    """Least-squares weights of the C frames for each of D coordinates, each coordinate by itself."""
    gram = np.einsum("ncd,ned->dce", contexts, contexts)
    cross = np.einsum("ncd,nd->dc", contexts, targets)
    return np.asarray(np.linalg.solve(gram, cross[:, :, None])[:, :, 0].T)
