"""Runs of matches: neighbours vote for one another, and a leaked window draws others along."""

import numpy as np
from chained_text import all_lasts, chunks, text

from lvm_gates.harness.leaks.runs import drawn_along, votes
from lvm_gates.harness.leaks.search import Pairs


def test_votes_are_neighbours_that_match_in_their_places():
    queries, reference = chunks(text(2, 8, seed=0), [8, 8]), chunks(text(2, 30, seed=1), [30, 30])
    lasts = all_lasts(queries)
    position = np.array([10, 11, 12, 13, 14, 15, 16, 35, 3, 58, 12, 46, 47, 22])
    found = votes(queries, lasts, reference, position)
    # The first article: a run of seven in the first article of the reference. The second: one pair that follows on.
    assert found[:7].tolist() == [4, 5, 6, 6, 6, 5, 4]
    assert found[7:].tolist() == [0, 0, 0, 0, 1, 1, 0]
    assert votes(queries, lasts, reference, position[::-1].copy(), direction=-1)[7:].tolist() == [4, 5, 6, 6, 6, 5, 4]


def test_a_leaked_window_draws_those_beside_it_along_where_its_place_predicts_their_match():
    reference_text = text(1, 30, seed=1)
    copied = reference_text[10:18]  # a copy whose windows are but for the first two matched elsewhere
    queries, reference = chunks(copied, [8]), chunks(reference_text, [30])
    lasts = all_lasts(queries)
    leaked, position = np.arange(7) < 2, np.array([10, 11, 25, 25, 25, 25, 25])
    pairs = Pairs(np.full(7, 0.5), position)
    assert (
        drawn_along(leaked, pairs, queries, lasts, reference, 0.9).tolist() == [False, False, True, True] + [False] * 3
    )
    assert not drawn_along(leaked, pairs, queries, lasts, reference, 1.1).any(), "no pair is as alike as that"
    other = chunks(np.concatenate([copied[:3], text(1, 5, seed=9)]), [8])
    assert not drawn_along(leaked, pairs, other, lasts, reference, 0.9).any(), "it goes on otherwise"


def drawn_between(places, position, lengths=(30,)):
    """Windows drawn along where those at ``places`` are leaked and no pair is alike enough by itself."""
    queries, reference = chunks(text(1, 10, seed=0), [10]), chunks(text(1, sum(lengths), seed=1), list(lengths))
    leaked = np.isin(np.arange(9), places)
    pairs = Pairs(np.full(9, 0.5), np.array(position))
    return np.flatnonzero(drawn_along(leaked, pairs, queries, all_lasts(queries), reference, 1.1)).tolist()


def test_a_window_between_two_leaked_ones_whose_matches_are_in_order_is_drawn_along():
    straight = list(range(10, 19))
    assert drawn_between([3, 5], straight) == [4]
    assert drawn_between([2, 6], straight) == [4]
    assert drawn_between([1, 4], straight) == [2, 3]
    assert drawn_between([2, 7], straight) == [], "too far from either side"
    assert drawn_between([4], straight) == []
    # Cut at other boundaries, two chunks are the place of none to four; more, or fewer, are another place.
    for after, drawn in ((12, []), (13, [4]), (17, [4]), (18, [])):
        assert drawn_between([3, 5], [*straight[:5], after, *straight[6:]]) == drawn
    # In one run of the reference, which ends before its chunk 14.
    assert drawn_between([3, 5], straight, (14, 16)) == []
    assert drawn_between([3, 5], straight, (13, 17)) == [4]


def test_a_window_without_a_match_votes_for_nobody_and_the_first_chunk_is_a_match():
    queries, reference = chunks(text(1, 8, seed=0), [8]), chunks(text(1, 30, seed=1), [30])
    found = votes(queries, all_lasts(queries), reference, np.array([0, 1, -1, -1, 4, 5, 6]))
    assert found.tolist() == [2, 3, 0, 0, 4, 3, 2]


def test_a_neighbour_votes_if_its_place_is_off_by_no_more_than_the_step():
    queries, reference = chunks(text(1, 3, seed=0), [3]), chunks(text(1, 30, seed=1), [30])
    for there, vote in ((9, 0), (10, 1), (11, 1), (12, 1), (13, 0)):
        assert votes(queries, np.arange(2), reference, np.array([10, there])).tolist() == [vote, vote]
    queries = chunks(text(1, 4, seed=0), [4])
    # Two steps on, and not on one place: windows that all match it are no run.
    for there, vote in ((9, 0), (10, 0), (11, 1), (14, 1), (15, 0)):
        assert votes(queries, np.arange(3), reference, np.array([10, -1, there])).tolist() == [vote, 0, vote]


def drawn_from(rows, matched_at, leaked, lengths=(30,)):
    """Windows of these rows of a text of thirty chunks drawn along, one of them leaked and matched in its place."""
    whole = text(1, 30, seed=1)
    queries, reference = chunks(whole[rows], [len(rows)]), chunks(whole, list(lengths))
    count = len(rows) - 1
    position = np.where(np.arange(count) == leaked, matched_at, 20)
    pairs = Pairs(np.full(count, 0.5), position)
    found = drawn_along(np.arange(count) == leaked, pairs, queries, np.arange(count), reference, 0.9)
    return np.flatnonzero(found).tolist()


def test_the_first_and_the_last_pair_of_a_reference_are_drawn_along_too():
    assert drawn_from([0, 1, 2], 1, leaked=1) == [0]
    assert drawn_from([27, 28, 29], 27, leaked=0) == [1]


def test_a_pair_that_straddles_two_runs_of_the_reference_is_none():
    """The first run ends with chunk 13, and the windows beside a leaked one are of chunks 13 and 14."""
    assert drawn_from([13, 14, 15], 14, leaked=1) == drawn_from([13, 14, 15], 14, leaked=1, lengths=(13, 17)) == [0]
    assert drawn_from([13, 14, 15], 14, leaked=1, lengths=(14, 16)) == []
    assert drawn_from([12, 13, 14], 12, leaked=0) == drawn_from([12, 13, 14], 12, leaked=0, lengths=(15, 15)) == [1]
    assert drawn_from([12, 13, 14], 12, leaked=0, lengths=(14, 16)) == []


def test_a_place_is_looked_for_as_far_off_as_the_step_is_long():
    """The second window after the leaked one: its place is 12, and two chunks to either side."""
    for row, drawn in ((9, []), (10, [2]), (12, [1, 2]), (14, [2]), (15, [])):
        assert drawn_from([10, 11, row, row + 1], 10, leaked=0) == drawn


def test_windows_that_all_match_one_place_are_no_run():
    """A text that repeats itself has the same nearest chunk throughout; a copy cut twice as fine moves on."""
    queries, reference = chunks(text(1, 9, seed=0), [9]), chunks(text(1, 30, seed=1), [30])
    lasts = all_lasts(queries)
    assert votes(queries, lasts, reference, np.full(8, 10)).max() == 2
    assert votes(queries, lasts, reference, np.full(8, 10), direction=-1).max() == 2
    assert votes(queries, lasts, reference, 10 + np.arange(8) // 2)[3:5].tolist() == [7, 7]
