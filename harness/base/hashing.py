"""Pseudo-random numbers as pure functions of what they are for, so that batches and their order do not matter."""

import numpy as np
from jaxtyping import Float, Int, UInt64

# Any odd 64-bit number will do; this is splitmix64's.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_NOISE_STREAM = 3


def hash64(
    values: Int[np.ndarray, "*n"] | UInt64[np.ndarray, "*n"], seed: int, stream: int
) -> UInt64[np.ndarray, "*n"]:
    """Pseudo-random 64-bit numbers, a pure function of value, seed and stream (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = values.astype(np.uint64)
        for word in (np.uint64(seed & (2**64 - 1)), np.uint64(stream), np.uint64(0)):
            z = z + word + _GOLDEN
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
    return z


def noise_of(vectors: Float[np.ndarray, "b k"], dim: int, seed: int) -> Float[np.ndarray, "b dim"]:
    """(B, dim) noise of mean zero and variance one a coordinate, each row a function of the bits of one vector.

    Uniform and not Gaussian: four coordinates come out of one 64-bit number, in an eighth of the time that a generator
    of its own for each row takes.
    """
    bits = np.ascontiguousarray(vectors, dtype=np.float32)
    words = (np.pad(bits, [(0, 0), (0, 1)]) if bits.shape[1] % 2 else bits).view(np.uint64)
    # Multilinear hashing (Lemire and Kaser 2014): a random odd multiplier a word, summed modulo 2^64.
    multipliers = hash64(np.arange(words.shape[1]), seed, _NOISE_STREAM) | np.uint64(1)
    keys = np.einsum("bk,k->b", words, multipliers)
    numbers = hash64(keys[:, None] + _GOLDEN * np.arange(-(-dim // 4), dtype=np.uint64), seed, _NOISE_STREAM)
    shorts = np.ascontiguousarray(numbers).view(np.uint16)[:, :dim]
    return np.asarray((shorts - 32767.5) / (65536 / np.sqrt(12)))
