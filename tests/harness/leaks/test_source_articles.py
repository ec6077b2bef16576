"""Which article of the reference a judged article is a copy of, by where its windows match best."""

import numpy as np
import pytest
from chained_text import chunks, text

from lvm_gates.harness.leaks.detection import _sources

# A tenth of the reference is of article 0, the rest of the other nine.
REFERENCE = chunks(text(10, 10, seed=0), [10] * 10)


def sources_of(*matches):
    """For each judged article the source of its ten windows, of which so many match best in an article."""
    judged, position = [], []
    for article, matched in enumerate(matches):
        places = [10 * of + i for of, count in matched.items() for i in range(count)]
        places += [-1] * (10 - len(places))
        judged += [article] * 10
        position += places
    found = _sources(np.array(judged), np.array(position), REFERENCE)
    assert all(len(set(found[10 * a : 10 * a + 10])) == 1 for a in range(len(matches)))
    return found[::10].tolist()


@pytest.mark.parametrize(("count", "source"), [(0, -1), (1, -1), (3, -1), (4, 7), (10, 7)])
def test_more_than_a_fifth_beyond_its_share_of_the_reference_makes_an_article_the_source(count, source):
    """Three of ten windows are a fifth and the tenth that article 7 has of the reference by its length."""
    assert sources_of({7: count}) == [source]


def test_of_two_sources_the_larger_counts_and_each_article_has_its_own():
    assert sources_of({3: 6, 2: 4}, {0: 10}, {5: 2, 6: 2}) == [3, 0, -1]
    assert sources_of({2: 4, 3: 6}) == [3]


def test_one_window_has_no_source():
    """Its one match would be all of them."""
    assert _sources(np.array([0]), np.array([35]), REFERENCE).tolist() == [-1]
    assert _sources(np.array([0, 0]), np.array([35, 36]), REFERENCE).tolist() == [3, 3]
