"""Noise is a function of the vector that it is for."""

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
