"""Windows against loops that look at one row at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvm_gates.harness.corpus.corpus import write_corpus
from lvm_gates.harness.corpus.windows import Windows, sample_windows, windows_of

# Lengths of articles, steps of chunk_index at some rows (0 and -1 are faults of a source, 1 is contiguous), C.
layouts = st.tuples(
    st.lists(st.integers(1, 14), min_size=1, max_size=5),
    st.dictionaries(st.integers(0, 40), st.sampled_from([-1, 0, 2, 7]), max_size=4),
    st.integers(1, 6),
)


def follows(corpus, row):
    """Whether ``row`` is the chunk right after ``row - 1`` in the same article."""
    if row <= 0 or row >= corpus.size:
        return False
    owner = [a for a, length in enumerate(corpus.lengths) for _ in range(length)]
    return owner[row] == owner[row - 1] and int(corpus.chunk_index[row]) == int(corpus.chunk_index[row - 1]) + 1


def chained(corpus, one, other):
    """Whether two rows lie in one unbroken run."""
    low, high = min(one, other), max(one, other)
    return low >= 0 and high < corpus.size and all(follows(corpus, r) for r in range(low + 1, high + 1))


@given(layout=layouts)
def test_windows_are_exactly_the_unbroken_runs_of_context_plus_one(make_corpus, layout):
    lengths, jumps, context = layout
    corpus = make_corpus(lengths, dim=4, jumps=jumps)
    expected = [t for t in range(corpus.size) if t >= context and chained(corpus, t - context, t)]
    assert windows_of(corpus, np.arange(len(lengths)), context).targets.tolist() == expected


@given(layout=layouts)
def test_offsets_name_the_chunk_counted_from_the_last_frame_and_say_whether_it_exists(make_corpus, layout):
    lengths, jumps, context = layout
    corpus = make_corpus(lengths, dim=4, jumps=jumps)
    windows = windows_of(corpus, np.arange(len(lengths)), context)
    for k in range(-5, 8):
        rows, exists = windows.offset(k)
        for target, row, there in zip(windows.targets, rows, exists, strict=True):
            wanted = int(target) - 1 + k
            assert there == chained(corpus, wanted, int(target))
            assert row == (wanted if there else target)


def test_offset_zero_is_the_last_frame_and_plus_one_the_target(make_corpus):
    corpus = make_corpus([9, 8], dim=4)
    windows = windows_of(corpus, np.arange(2), 4)
    assert windows.targets.tolist() == [4, 5, 6, 7, 8, 13, 14, 15, 16]
    assert windows.context_rows[0].tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(windows.offset(1)[0], windows.targets)
    np.testing.assert_array_equal(windows.offset(0)[0], windows.context_rows[:, -1])
    np.testing.assert_array_equal(windows.offset(-3)[0], windows.context_rows[:, 0])
    assert windows.offset(2)[1].tolist() == [True] * 4 + [False] + [True] * 3 + [False]
    assert windows.offset(-4)[1].tolist() == [False] + [True] * 4 + [False] + [True] * 3


def test_contexts_hold_the_vectors_of_their_rows_oldest_first(make_corpus):
    corpus = make_corpus([7, 9], dim=5)
    windows = windows_of(corpus, np.array([1]), 3)
    contexts = windows.contexts()
    for i, target in enumerate(windows.targets):
        for place in range(3):
            np.testing.assert_allclose(contexts[i, place], corpus.stored[target - 3 + place], atol=1e-7)
    np.testing.assert_allclose(windows.target_vectors(), corpus.stored[windows.targets], atol=1e-7)
    assert set(windows.clusters) == {1}


def test_articles_numbered_on_from_one_another_are_still_apart(fresh_folder):
    """A source may number its chunks through the whole file; the article ends all the same."""
    vectors = np.eye(12, dtype=np.float32)
    corpus = write_corpus(
        fresh_folder(),
        vectors,
        np.array([5, 7]),
        splits=np.array(["VAL", "VAL"]),
        chunk_index=np.arange(12),
        meta={"kind": "test"},
    )
    assert windows_of(corpus, np.arange(2), 3).targets.tolist() == [3, 4, 8, 9, 10, 11]
    assert windows_of(corpus, np.arange(2), 3).offset(2)[1].tolist() == [True, False, True, True, True, False]


def test_only_the_articles_asked_for_have_windows(make_corpus):
    corpus = make_corpus([8, 8, 8], dim=4)
    windows = windows_of(corpus, np.array([2, 0]), 5)
    assert sorted(windows.targets.tolist()) == [5, 6, 7, 21, 22, 23]


def test_an_article_one_chunk_too_short_has_no_window(make_corpus):
    corpus = make_corpus([5, 6], dim=4)
    assert windows_of(corpus, np.arange(2), 5).targets.tolist() == [10]


@pytest.mark.parametrize("limit", [1, 7, 99])
def test_a_sample_is_random_distinct_in_order_and_fixed_by_its_seed(make_corpus, limit):
    windows = windows_of(make_corpus([60, 60], dim=4), np.arange(2), 5)
    assert len(windows) == 110
    sample = sample_windows(windows, limit, seed=3)
    assert len(sample) == limit
    assert (np.diff(sample.targets) > 0).all()
    assert np.isin(sample.targets, windows.targets).all()
    np.testing.assert_array_equal(sample.targets, sample_windows(windows, limit, seed=3).targets)
    assert not np.array_equal(sample.targets, sample_windows(windows, limit, seed=4).targets)


def test_a_sample_is_not_the_head_of_the_file(make_corpus):
    windows = windows_of(make_corpus([60] * 10, dim=4), np.arange(10), 5)
    sample = sample_windows(windows, 100, seed=0)
    assert len(np.unique(sample.clusters)) == 10
    shares = np.bincount(sample.clusters) / 100
    assert shares.max() < 0.2


def test_a_limit_at_least_as_large_as_the_set_takes_all_of_it(make_corpus):
    windows = windows_of(make_corpus([20], dim=4), np.arange(1), 5)
    assert sample_windows(windows, len(windows), 0).targets.tolist() == windows.targets.tolist()


def test_batches_cut_the_windows_without_loss(make_corpus):
    windows = windows_of(make_corpus([30], dim=4), np.arange(1), 3)
    parts = [b.targets for b in windows.batches(4)]
    assert [len(p) for p in parts] == [4] * 6 + [3]
    np.testing.assert_array_equal(np.concatenate(parts), windows.targets)
    assert isinstance(windows.take(slice(0, 0)), Windows)
    assert list(windows.take(slice(0, 0)).batches(4)) == []
