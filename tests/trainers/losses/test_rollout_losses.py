"""P4's smoothness penalty, as described and as run."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import cases, cos, properties

from lvm_gates.trainers.losses import rollout_smoothness, rollout_smoothness_published


def turning(angle, steps, batch=2):
    """(H, B, 2): each step is ``angle`` further round."""
    at = angle * torch.arange(steps, dtype=torch.float64)
    return torch.stack([at.cos(), at.sin()], dim=1)[:, None].repeat(1, batch, 1)


@properties
@given(cases, st.floats(-0.9, 0.9))
def test_it_is_the_mean_over_steps_of_the_mean_over_the_batch(case, ceiling):
    steps = case.rollout.transpose(0, 1)
    means = [np.mean([cos(*pair) for pair in zip(steps[h - 1], steps[h], strict=True)]) for h in range(1, len(steps))]
    expected = np.mean([10 * max(0, mean - ceiling) for mean in means])
    assert rollout_smoothness(steps, ceiling).item() == pytest.approx(expected, abs=1e-12)


def test_a_rollout_that_turns_is_free_and_one_that_stands_still_pays():
    assert rollout_smoothness(turning(0.4, 5)) == 0  # cos .921
    assert rollout_smoothness(turning(0.0, 5)).item() == pytest.approx(10 * 0.05)
    assert rollout_smoothness(turning(0.1, 3), scale=1.0).item() == pytest.approx(np.cos(0.1) - 0.95)


def test_one_step_has_nothing_to_be_smooth_to():
    predictions = turning(0.0, 1).requires_grad_()
    loss = rollout_smoothness(predictions)
    assert loss == 0
    (gradient,) = torch.autograd.grad(loss, predictions)
    assert gradient.abs().max() == 0


def test_every_step_gets_a_gradient():
    predictions = turning(0.1, 4).requires_grad_()
    # Weights per sample of the batch mean would hide behind equal samples; steps may not.
    (gradient,) = torch.autograd.grad(rollout_smoothness(predictions), predictions)
    ends = gradient[[0, -1]].norm(dim=-1)
    assert ends.min() > 1e-3
    generic = torch.randn(4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: rollout_smoothness(p, ceiling=-0.9), (generic,))
    (gradient,) = torch.autograd.grad(rollout_smoothness(generic, ceiling=-0.9), generic)
    assert gradient.norm(dim=-1).min() > 1e-3


def test_the_original_penalty_moves_the_first_prediction_only():
    first, second = turning(0.1, 2).requires_grad_()
    loss = rollout_smoothness_published(first, second)
    assert loss.item() == pytest.approx(10 / 3 * (np.cos(0.1) - 0.95))
    of_first, of_second = torch.autograd.grad(loss, (first, second), allow_unused=True)
    assert of_first.norm(dim=-1).min() > 1e-3
    assert of_second is None
    assert rollout_smoothness_published(*turning(0.4, 2)) == 0


def test_the_original_weight_per_unit_cosine():
    """docs/sources.md, "P4": .167 at weight .05 above the ceiling, .33 at .10."""
    near, nearer = (rollout_smoothness_published(*turning(np.arccos(value), 2)).item() for value in (0.96, 0.98))
    slope = (nearer - near) / 0.02
    assert 0.05 * slope == pytest.approx(0.167, abs=5e-4)
    assert 0.10 * slope == pytest.approx(0.333, abs=5e-4)
