"""Noise is a function of the vector that it is for."""

import math

import numpy as np
import pytest

from lvm_gates.harness.base.hashing import hash64, noise_of


@pytest.mark.parametrize("width", [1, 2, 7, 3840])
@pytest.mark.parametrize("dim", [1, 3, 4, 24])
def test_noise_depends_on_its_own_vector_and_the_seed_alone(width, dim):
    vectors = np.random.default_rng(0).standard_normal((9, width)).astype(np.float32)
    found = noise_of(vectors, dim, 5)
    assert found.shape == (9, dim)
    np.testing.assert_array_equal(noise_of(vectors[4:6], dim, 5), found[4:6])
    assert not np.array_equal(noise_of(vectors, dim, 6), found)
    changed = vectors.copy()
    changed[3, -1] = np.nextafter(changed[3, -1], np.float32(9))
    assert (noise_of(changed, dim, 5) != found).any(axis=1).nonzero()[0].tolist() == [3]


def test_noise_has_mean_zero_variance_one_and_no_correlation():
    vectors = np.random.default_rng(1).standard_normal((40_000, 3)).astype(np.float32)
    found = noise_of(vectors, 6, 0)
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(np.cov(found.T), np.eye(6), atol=0.03)


def test_hashes_of_any_shape_are_hashed_one_by_one():
    values = np.arange(12)
    np.testing.assert_array_equal(hash64(values.reshape(3, 4), 1, 2).ravel(), hash64(values, 1, 2))
    assert len(np.unique(hash64(values, 1, 2))) == 12


GOLDEN, WORD = 0x9E3779B97F4A7C15, 2**64


def mixed(z):
    """The output function of splitmix64, in integers of any size."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def hashed(value, seed, stream):
    for word in (seed, stream, 0):
        value = mixed((value + word + GOLDEN) % WORD)
    return value


def test_splitmix64_is_the_published_one():
    """The first two numbers of the authors' program for seed 0."""
    assert [mixed(GOLDEN), mixed(2 * GOLDEN % WORD)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@pytest.mark.parametrize("seed", [0, 7, 2**63 + 5])
def test_hashes_are_the_same_on_every_machine_and_in_every_release(seed):
    values = [0, 1, 12345, 2**62]
    assert hash64(np.array(values), seed, 4).tolist() == [hashed(value, seed, 4) for value in values]


def test_a_negative_seed_is_taken_modulo_two_to_the_64th():
    assert hash64(np.array([3]), -1, 4).tolist() == [hashed(3, WORD - 1, 4)]


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("dim", [1, 4, 6])
def test_noise_is_the_same_on_every_machine_and_in_every_release(width, dim):
    vectors = np.random.default_rng(2).standard_normal((3, width)).astype(np.float32)
    for vector, found in zip(vectors, noise_of(vectors, dim, 5), strict=True):
        bits = [int(bit) for bit in vector.view(np.uint32)]
        bits += [0] * (len(bits) % 2)
        words = [low + high * 2**32 for low, high in zip(bits[::2], bits[1::2], strict=True)]
        key = sum(word * (hashed(i, 5, 3) | 1) for i, word in enumerate(words))
        numbers = [hashed((key + i * GOLDEN) % WORD, 5, 3) for i in range(math.ceil(dim / 4))]
        shorts = [number >> shift & 0xFFFF for number in numbers for shift in (0, 16, 32, 48)]
        expected = [(short - 32767.5) / (65536 / math.sqrt(12)) for short in shorts[:dim]]
        assert found.tolist() == expected
