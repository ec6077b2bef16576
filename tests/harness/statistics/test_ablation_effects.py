"""Effects of spoiled contexts where a context is as short as can be."""

import numpy as np
import pytest

from lvm_gates.harness.statistics import ablation_effects


def test_two_frames_have_an_order_and_a_neighbour_each(make_observations):
    effects = np.tile([-0.3, -0.2, -0.1, -0.4, 0.02, 0.01], (12, 1))
    found = ablation_effects(make_observations(12, context=2, ablation=effects))
    assert [found.shuffle.value, found.reverse.value] == pytest.approx([-0.3, -0.2])
    assert [frame.value for frame in found.leave_one_out_by_frame] == pytest.approx([-0.1, -0.4])
    assert found.leave_one_out.value == pytest.approx(-0.4)


def test_one_frame_has_no_order_and_none_to_take_its_place(make_observations):
    """A "shuffled" context of one frame is the context, and its effect of zero says nothing of the model."""
    effects = np.tile([0.0, 0.0, 0.0, 0.02, -0.3], (12, 1))
    found = ablation_effects(make_observations(12, context=1, ablation=effects))
    for undefined in (found.shuffle, found.reverse, found.leave_one_out, *found.leave_one_out_by_frame):
        assert np.isnan(undefined.value)
        assert undefined.n == 0
    assert (found.repeat_last.value, found.cross_article.value) == pytest.approx((0.02, -0.3))
