"""Copies of a chunk are recognised up to float32 rounding, and nothing else is."""

from types import SimpleNamespace

import numpy as np
import pytest

from lvm_gates.harness.corpus import equality
from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.equality import SAME, same_chunk_labels


@pytest.fixture
def labels_of(tmp_path):
    def labels(vectors):
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        n = len(vectors)
        corpus = write_corpus(tmp_path / "c", vectors, np.array([n]), splits=np.array(["VAL"]), meta={})
        return same_chunk_labels(corpus, np.arange(n))

    return labels


def vectors(n=200, dim=32):
    return np.random.default_rng(3).standard_normal((n, dim))


def test_distinct_vectors_have_labels_of_their_own(labels_of):
    assert len(set(labels_of(vectors()))) == 200


@pytest.mark.parametrize("change", [0.0, 6e-8, 1e-7, 1e-6])
def test_a_copy_up_to_rounding_shares_its_label(labels_of, change):
    rows = vectors()
    rows[150] = rows[20] * (1 + change * np.random.default_rng(0).choice([-1, 1], 32))
    labels = labels_of(rows)
    assert labels[150] == labels[20]
    assert len(set(labels)) == 199


def test_a_vector_just_further_away_is_another(labels_of):
    rows = vectors() / np.linalg.norm(vectors(), axis=1, keepdims=True)
    sideways = np.linalg.svd(rows[20:21])[2][1]
    rows[150] = rows[20] + 1.5 * SAME * sideways
    rows[160] = rows[20] + 0.5 * SAME * sideways
    labels = labels_of(rows)
    assert labels[150] != labels[20] or labels[160] == labels[150], "linked only through the one between"
    rows[160] = vectors()[160]
    labels = labels_of(rows)
    assert labels[150] != labels[20]


def test_the_last_bit_of_a_float16_coordinate_makes_another_chunk(labels_of):
    """In numbers, whatever the tolerance is: the last bit of the largest of 384 coordinates moves a vector by 1e-4."""
    rows = (vectors(60, 384) / 20).astype(np.float16)
    largest = np.argmax(np.abs(rows[20]))
    rows[40] = rows[20]
    rows[40, largest] = np.nextafter(rows[20, largest], np.float16(9))
    unit = rows[[20, 40]].astype(np.float64) / np.linalg.norm(rows[[20, 40]].astype(np.float64), axis=1, keepdims=True)
    assert 2e-5 < np.linalg.norm(unit[0] - unit[1]) < 1e-3
    assert len(set(labels_of(rows.astype(np.float32)))) == 60


def test_brute_force(labels_of):
    rng = np.random.default_rng(5)
    rows = vectors(60, 8)
    for copy in range(20):
        rows[40 + copy] = rows[rng.integers(0, 40)] * (1 + rng.uniform(-2e-7, 2e-7, 8))
    labels = labels_of(rows)
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    near = np.linalg.norm(unit[:, None] - unit[None, :], axis=2) <= SAME
    assert np.array_equal(labels[:, None] == labels[None, :], near)


def test_a_thousand_equal_chunks(labels_of):
    rows = np.vstack([np.tile(vectors(1), (1000, 1)), vectors(5)[1:]])
    assert len(set(labels_of(rows))) == 5


def test_chunks_that_are_all_copies_up_to_rounding_are_one(labels_of):
    rows = np.repeat(vectors(1), 3, axis=0) * (1 + 1e-7 * np.random.default_rng(0).choice([-1, 1], (3, 32)))
    assert len(set(labels_of(rows))) == 1


def test_a_stranger_between_two_copies_on_the_direction_by_which_they_are_sought_hides_none(labels_of):
    """On the first random direction, and on the second."""
    rows = vectors() / np.linalg.norm(vectors(), axis=1, keepdims=True)
    directions = equality._shadow(SimpleNamespace(dim=32, vectors=lambda own: np.eye(32)[own]), np.arange(32)).T
    aside = directions[0] + directions[1]
    aside -= (aside @ rows[20]) * rows[20]
    rows[150] = rows[20] + 0.8 * SAME * aside / np.linalg.norm(aside)
    for stranger, direction in ((160, directions[0]), (170, directions[1])):
        level = direction @ (rows[20] + rows[150]) / 2
        rest = rows[stranger] - (rows[stranger] @ direction) * direction
        rows[stranger] = level * direction + np.sqrt(1 - level**2) * rest / np.linalg.norm(rest)
        assert np.ptp(rows[[20, stranger, 150]] @ direction) < SAME
    labels = labels_of(rows)
    assert labels[150] == labels[20]
    assert len(set(labels)) == 199
