"""The search for the most alike pair says what all pairs say, compared one by one."""

import numpy as np
import pytest
from chained_text import all_lasts, chunks, text

from lvm_gates.harness.leaks.chunks import joined
from lvm_gates.harness.leaks.search import likeness_at, nearest_pairs, rivalry


def test_without_a_pair_nothing_is_nearest():
    """Three runs of one chunk each."""
    queries, reference = chunks(text(1, 4, seed=0), [4]), chunks(text(1, 3, seed=1), [1, 1, 1])
    found = nearest_pairs(queries, all_lasts(queries), reference)
    assert found.likeness.tolist() == [-2.0] * 3
    assert found.position.tolist() == [-1] * 3


def test_of_equals_the_first_stays(monkeypatch):
    monkeypatch.setattr("lvm_gates.harness.leaks.search._COLUMNS", 6)
    vectors = np.eye(8, dtype=np.float32)[:6]
    queries, reference = chunks(vectors, [6]), chunks(np.concatenate([vectors, vectors]), [6, 6])
    assert nearest_pairs(queries, all_lasts(queries), reference).position.tolist() == [0, 1, 2, 3, 4]


def brute_force(queries, lasts, reference, passed_over=None):
    q, u = queries.vectors(np.arange(len(queries))), reference.vectors(np.arange(len(reference)))
    rows = []
    for i, last in enumerate(lasts):
        likeness = np.minimum(u[:-1] @ q[last], u[1:] @ q[last + 1])
        backwards = np.minimum(u[1:] @ q[last], u[:-1] @ q[last + 1])
        bad = reference.runs[1:] != reference.runs[:-1]
        if passed_over is not None:
            bad |= np.isin(reference.articles[:-1], passed_over[i])
        likeness[bad] = backwards[bad] = -2
        of = reference.articles[:-1]
        decoys = [backwards[of == a].max() for a in np.unique(of) if backwards[of == a].max() > likeness[of == a].max()]
        rows.append((likeness.max(), likeness.argmax(), backwards.max(), backwards.argmax(), max(decoys, default=-2)))
    return np.array(rows).T


@pytest.mark.parametrize("size", [3, 1000])
@pytest.mark.parametrize("pass_over", [False, True])
def test_the_search_is_what_all_pairs_say_whatever_the_block(monkeypatch, size, pass_over):
    for name in ("SCAN_ROWS", "_COLUMNS", "_WINDOWS"):
        monkeypatch.setattr(f"lvm_gates.harness.leaks.search.{name}", size)
    queries = chunks(text(3, 5, seed=3, dim=6), [5, 5, 5])
    parts = [chunks(text(1, 7, seed=4, dim=6), [7]), chunks(text(2, 4, seed=5, dim=6), [4, 4])]
    reference, lasts = joined(parts), all_lasts(queries)
    passed_over = np.array([[i % 3, -1] for i in range(len(lasts))]) if pass_over else None
    expected = brute_force(queries, lasts, reference, passed_over)
    found = rivalry(queries, lasts, reference, passed_over)
    np.testing.assert_allclose(found.forwards.likeness, expected[0], atol=1e-6)
    np.testing.assert_array_equal(found.forwards.position, expected[1])
    np.testing.assert_allclose(found.backwards.likeness, expected[2], atol=1e-6)
    np.testing.assert_array_equal(found.backwards.position, expected[3])
    if size == 1000:  # an article is weighed as a whole where no tile cuts it
        np.testing.assert_allclose(found.decoy, expected[4], atol=1e-6)
    nearest = nearest_pairs(queries, lasts, reference, passed_over)
    np.testing.assert_array_equal(nearest.position, found.forwards.position)
    at = likeness_at(queries, lasts, reference, nearest.position)
    np.testing.assert_allclose(at, nearest.likeness, atol=1e-6)
