"""Chunks to search in or for: in row order, several corpora as one."""

import numpy as np
from chained_text import chunks, text

from lvm_gates.harness.leaks.chunks import Chunks, chunks_of, joined


def numbered(runs, articles, first):
    """Chunks whose vectors tell which they are; there are no others."""

    def vectors(positions):
        assert ((positions >= 0) & (positions < len(runs))).all()
        return np.float32(first + positions)[:, None]

    return Chunks(
        vectors,
        np.array(runs, dtype=np.int64),
        np.array(articles, dtype=np.int64),
    )


def test_several_are_one_and_no_run_or_article_goes_on_from_one_into_the_next():
    parts = [numbered([0, 0, 3], [0, 0, 1], 100), numbered([], [], 200), numbered([0, 2, 2], [5, 5, 5], 300)]
    found = joined(parts)
    assert len(found) == 6
    assert found.runs.tolist() == [0, 0, 3, 4, 6, 6]
    assert found.articles.tolist() == [0, 0, 1, 7, 7, 7]
    positions = np.array([5, 2, 0, 3, 2])
    assert found.vectors(positions).ravel().tolist() == [302, 102, 100, 300, 102]
    assert found.vectors(positions[:0]).shape == (0, 1)


def test_one_is_itself_and_none_is_empty():
    one = chunks(text(1, 4, seed=0), [4])
    assert joined([one]) is one
    nothing = joined([])
    assert len(nothing) == len(nothing.articles) == 0
    assert nothing.vectors(np.empty(0, dtype=np.int64)).shape == (0, 0)


def test_chunks_of_a_corpus_come_in_row_order_with_its_runs(make_corpus):
    corpus = make_corpus([3, 4, 2], dim=4, jumps={5: 3})
    found = chunks_of(corpus, np.array([2, 1]))
    assert found.articles.tolist() == [1, 1, 1, 1, 2, 2]
    assert found.runs.tolist() == [3, 3, 5, 5, 7, 7]
    np.testing.assert_array_equal(found.vectors(np.array([5, 0])), corpus.vectors(np.array([8, 3])))
