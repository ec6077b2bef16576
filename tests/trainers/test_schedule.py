"""Schedules as data: pieces, ramps, and two schedules at once."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvm_gates.trainers.schedule import Schedule, constant, ramped_together

metrics = st.floats(-10, 10, allow_nan=False)
ends = st.tuples(metrics, metrics)


@st.composite
def schedules(draw, values=metrics):
    """One to five pieces, constants or ramps, the last one a constant."""
    starts = [1, *sorted(draw(st.sets(st.integers(2, 20), max_size=4)))]
    pieces = [draw(values | st.tuples(values, values)) for _ in starts[:-1]]
    return Schedule(dict(zip(starts, [*pieces, draw(values)], strict=True)))


def test_pieces_and_a_ramp_written_out():
    schedule = Schedule({1: 0.0, 4: (0.25, 1.0), 8: 2.0})
    assert [schedule.at(epoch) for epoch in range(1, 11)] == [0, 0, 0, 0.25, 0.5, 0.75, 1, 2, 2, 2]
    assert [epoch for epoch in range(1, 11) if schedule.rises_at(epoch)] == [4, 5, 6, 7, 8]


def test_a_constant_never_rises():
    schedule = constant(3.0)
    assert [schedule.at(epoch) for epoch in (1, 2, 1000)] == [3.0, 3.0, 3.0]
    assert not any(schedule.rises_at(epoch) for epoch in range(1, 30))


def test_what_it_starts_at_is_no_rise_and_a_fall_is_none():
    schedule = Schedule({1: 1.0, 3: 0.0, 5: 1.0})
    assert [epoch for epoch in range(1, 8) if schedule.rises_at(epoch)] == [5]


def test_a_ramp_of_one_epoch_is_at_its_end():
    assert Schedule({1: (0.0, 1.0), 2: 5.0}).at(1) == 1.0


@pytest.mark.parametrize("pieces", [{}, {2: 0.0}, {0: 0.0, 1: 1.0}, {1: 0.0, 5: 1.0, 3: 2.0}])
def test_pieces_start_at_epoch_one_and_go_up(pieces):
    with pytest.raises(ValueError, match="start at epoch 1 and go up"):
        Schedule(pieces)


def test_a_ramp_needs_an_end():
    with pytest.raises(ValueError, match="the ramp from epoch 3 has no end"):
        Schedule({1: 0.0, 3: (0.0, 1.0)})


@settings(deadline=None, max_examples=100)
@given(schedules(), st.integers(1, 40))
def test_the_metric_lies_between_the_ends_of_its_piece(schedule, epoch):
    piece = schedule.pieces[max(start for start in schedule.pieces if start <= epoch)]
    low, high = (min(piece), max(piece)) if isinstance(piece, tuple) else (piece, piece)
    assert low - 1e-12 <= schedule.at(epoch) <= high + 1e-12


@settings(deadline=None, max_examples=100)
@given(ends, st.integers(2, 20))
def test_a_ramp_is_a_straight_line_from_end_to_end(ends, epochs):
    schedule = Schedule({1: ends, epochs + 1: 0.0})
    found = [schedule.at(epoch) for epoch in range(1, epochs + 1)]
    assert (found[0], found[-1]) == pytest.approx(ends)
    steps = [after - before for before, after in itertools.pairwise(found)]
    assert steps == pytest.approx([(ends[1] - ends[0]) / (epochs - 1)] * (epochs - 1), abs=1e-9)


@settings(deadline=None, max_examples=100)
@given(schedules(st.sampled_from([0.0, 0.25, 0.5])), st.sampled_from([0.125, 1.0]))
def test_plus_raises_what_is_not_zero(schedule, amount):
    raised = schedule.plus(amount)
    assert raised.pieces.keys() == schedule.pieces.keys()
    for start, piece in schedule.pieces.items():
        before, after = (each if isinstance(each, tuple) else (each,) for each in (piece, raised.pieces[start]))
        assert after == tuple(value + amount if value else 0.0 for value in before)


def test_plus_keeps_the_zero_a_ramp_starts_from():
    raised = Schedule({1: (0.0, 0.5), 5: 0.5}).plus(0.25)
    assert [raised.at(epoch) for epoch in (1, 2, 3, 4, 5)] == pytest.approx([0, 0.25, 0.5, 0.75, 0.75])


def told(sentence):
    """The names and epochs of a warning."""
    names, _, rest = sentence.partition(" rise at once in ")
    epochs = rest.split(";")[0].split(" ", 1)[1]
    return names.replace(" and ", ", ").split(", "), [
        int(number) for number in epochs.replace(" and ", ", ").split(", ")
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(schedules(), max_size=4), st.integers(1, 25))
def test_only_schedules_that_rise_in_one_epoch_are_told(found, epochs):
    schedules = {f"p{i}": schedule for i, schedule in enumerate(found)}
    expected = {}
    for epoch in range(2, epochs + 1):
        rising = [name for name, each in schedules.items() if each.at(epoch) - each.at(epoch - 1) > 0]
        if len(rising) >= 2:
            expected[epoch] = rising
    said = [told(sentence) for sentence in ramped_together(schedules, epochs)]
    assert {epoch: names for names, when in said for epoch in when} == expected
    assert sum(len(when) for _, when in said) == len(expected)


def test_the_warning_in_words():
    step, later = Schedule({1: 0.0, 3: 1.0, 5: 2.0}), Schedule({1: 0.0, 5: 1.0})
    assert list(ramped_together({"margin": step, "share": step, "drop": later}, 4)) == [
        "margin and share rise at once in epoch 3; if the run collapses there, nothing will tell which of them did it"
    ]
    both = list(ramped_together({"margin": step, "share": step, "drop": constant(1.0)}, 9))
    assert len(both) == 1
    assert "margin and share rise at once in epochs 3 and 5;" in both[0]
    assert list(ramped_together({"margin": step, "drop": later}, 4)) == []
