"""Unit vectors, and how long lists of them are cut into batches."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

# Norms whose squares are normal float64 numbers.
_SMALL, _LARGE = 1e-150, 1e150


def unit(vectors: Float[np.ndarray, "*b d"]) -> Float[np.ndarray, "*b d"]:
    """Scale to unit norm in float64; rows without a direction become NaN throughout."""
    wide = vectors.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        norm = np.sqrt(np.asarray(np.einsum("...d,...d->...", wide, wide))[..., None])
        # Squares over- and underflow long before the numbers do: such rows are brought near one first.
        extreme = ((norm < _SMALL) | (norm > _LARGE))[..., 0]
        if extreme.any():
            wide[extreme] /= np.abs(wide[extreme]).max(axis=-1, keepdims=True)
            norm[extreme] = np.linalg.norm(wide[extreme], axis=-1, keepdims=True)
        wide /= norm
    wide[~(np.isfinite(norm) & (norm > 0.0))[..., 0]] = np.nan
    return wide


def cosines(vectors: Float[np.ndarray, "n d"], units: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Cosine of each vector, of any length and any kind of number, to a unit vector; NaN where it has no direction."""
    wide = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        norm = np.sqrt(dots(wide, wide))
        if not ((norm > _SMALL) & (norm < _LARGE)).all():
            return dots(unit(vectors), units)
        return np.asarray(dots(wide, units) / norm)


def weighted_sum(weights: Float[np.ndarray, " c"], frames: Float[np.ndarray, "n c d"]) -> Float[np.ndarray, "n d"]:
    """(N, D) float64 sum of C frames each; those that weigh nothing are not read."""
    read = np.flatnonzero(weights)
    some = frames if len(read) == len(weights) else frames[:, read]
    # A third of the time that adding frame after frame takes, and the same to the last bit.
    return np.asarray(np.einsum("c,ncd->nd", weights[read], some))


def dots(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Row by row, and to the last bit whatever rows stand beside: a matrix product does not promise that."""
    return np.asarray(np.einsum("nd,nd->n", a, b))


def slices(n: int, size: int) -> Iterator[slice]:
    """Cut ``range(n)`` into consecutive slices of at most ``size``."""
    for begin in range(0, n, size):
        yield slice(begin, min(begin + size, n))
