"""The hinges against the same sums in plain numpy, and the weights that they get."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from loss_cases import cases, gap, make_case, margins, properties

from lvm_gates.trainers.losses import (
    adaptive_weight,
    adaptive_weight_published,
    anti_copy,
    directional_margin,
    future_margin,
    micro_ranking,
)

cosines = st.floats(-1, 1)


def rows_at(*values):
    """Unit vectors of these cosines to the first axis of the plane."""
    x = torch.tensor(values, dtype=torch.float64)
    return torch.stack([x, (1 - x**2).sqrt()], dim=1)


def axis(count):
    return torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(count, 1)


@properties
@given(cases, margins)
def test_the_directional_margin_is_the_mean_hinge(case, margin):
    gaps = np.array([gap(*row) for row in zip(case.prediction, case.target, case.last, strict=True)])
    assume(np.abs(gaps - margin).min() > 1e-9)
    loss = directional_margin(case.prediction, case.target, case.last, margin).item()
    assert loss == pytest.approx(np.maximum(0, margin - gaps).mean(), abs=1e-12)
    assert (loss == 0) == bool((gaps >= margin).all())


@properties
@given(cases, st.floats(0, 3))
def test_a_weight_multiplies_each_sample(case, first):
    weight = torch.ones(len(case.target), dtype=torch.float64)
    weight[0] = first
    hinges = [
        directional_margin(*(t[i : i + 1] for t in (case.prediction, case.target, case.last)), 0.3).item()
        for i in range(len(weight))
    ]
    loss = directional_margin(case.prediction, case.target, case.last, 0.3, weight).item()
    assert loss == pytest.approx((first * hinges[0] + sum(hinges[1:])) / len(hinges), abs=1e-12)


@properties
@given(cases, margins)
def test_anti_copy_is_the_mean_hinge_over_frames(case, margin):
    hinges = [
        directional_margin(case.prediction, case.target, case.context[:, i], margin).item()
        for i in range(case.context.shape[1])
    ]
    assert anti_copy(case.prediction, case.target, case.context, margin).item() == pytest.approx(np.mean(hinges))


def test_anti_copy_is_zero_only_where_every_frame_is_far():
    target = axis(2)
    away = rows_at(0.5, 0.5)
    far = torch.stack([away, away], dim=1)
    near = torch.stack([away, torch.stack([away[0], target[0]])], dim=1)
    assert anti_copy(target, target, far, 0.4) == 0
    assert anti_copy(target, target, near, 0.4).item() == pytest.approx(0.4 / 4)


@properties
@given(cases, margins)
def test_the_future_margin_counts_only_what_exists(case, margin):
    expected = 0.0
    for j in range(case.future.shape[1]):
        hinges = [
            max(0.0, margin - gap(case.prediction[i], case.target[i], case.future[i, j]))
            for i in range(len(case.target))
            if case.exists[i, j]
        ]
        expected += np.mean(hinges) if hinges else 0.0
    loss = future_margin(case.prediction, case.target, case.future, case.exists, margin).item()
    assert loss == pytest.approx(expected, abs=1e-12)


def test_chunks_that_do_not_exist_leave_no_trace():
    case = make_case(seed=2)
    exists = torch.ones(5, 2, dtype=torch.bool)
    exists[0, 0] = exists[:, 1] = False
    future = torch.where(exists[..., None], case.future, torch.nan)
    prediction = case.prediction.requires_grad_()
    loss = future_margin(prediction, case.target, future, exists, 0.9)
    (gradient,) = torch.autograd.grad(loss, prediction)
    rest = directional_margin(case.prediction[1:], case.target[1:], case.future[1:, 0], 0.9)
    assert loss.item() == pytest.approx(rest.item())
    assert gradient[0].abs().max() == 0
    assert gradient[1:].abs().sum(dim=1).min() > 0


def test_without_any_future_the_loss_is_zero():
    case = make_case()
    prediction = case.prediction.requires_grad_()
    for future, exists in (
        (case.future, torch.zeros(5, 2, dtype=torch.bool)),
        (case.future[:, :0], torch.zeros(5, 0, dtype=torch.bool)),
    ):
        loss = future_margin(prediction, case.target, future, exists, 0.9)
        assert loss == 0
        (gradient,) = torch.autograd.grad(loss, prediction)
        assert gradient.abs().max() == 0


@properties
@given(st.lists(cosines, min_size=1, max_size=9))
def test_the_adaptive_weight_is_between_one_and_two_and_rises_with_the_cosine(values):
    values = sorted(values)
    weight = adaptive_weight(rows_at(*values), axis(len(values)))
    assert weight.min() > 1
    assert weight.max() < 2
    assert (weight.diff() >= -1e-12).all()
    for low, high in zip(range(len(values)), range(1, len(values)), strict=False):
        if values[high] - values[low] > 1e-3:
            assert weight[high] > weight[low]


def test_the_adaptive_weight_is_half_way_at_the_original_centre():
    weight = adaptive_weight(rows_at(0.60, 0.65, 0.55), axis(3))
    assert weight.tolist() == pytest.approx([1.5, 1 + 1 / (1 + np.exp(-1)), 1 + 1 / (1 + np.exp(1))])


def test_the_original_adaptive_weight_is_one_number_for_the_batch():
    """docs/sources.md, "P4": lambda times 1 + <sigmoid>, though described as a weight of each sample."""
    last, target = rows_at(0.60, 0.95, 0.10), axis(3)
    published = adaptive_weight_published(last, target)
    assert published.shape == ()
    assert published.item() == pytest.approx(adaptive_weight(last, target).numpy().mean())
    # Two batches with the same mean weight are weighed alike, whichever of their samples break the margin.
    prediction, previous = axis(3), torch.stack([axis(1)[0], *rows_at(-1, -1)])
    each = directional_margin(prediction, target, previous, 0.1, adaptive_weight(last, target))
    batch = published * directional_margin(prediction, target, previous, 0.1)
    assert each.item() == pytest.approx(1.5 * 0.1 / 3)
    assert batch.item() == pytest.approx(published.item() * 0.1 / 3)


def test_adaptive_weights_carry_no_gradient():
    case = make_case()
    target = case.target.requires_grad_()
    assert not adaptive_weight(case.last, target).requires_grad
    assert not adaptive_weight_published(case.last, target).requires_grad


@properties
@given(cases)
def test_micro_ranking_is_the_mean_softplus(case):
    gaps = np.array([gap(*row) for row in zip(case.prediction, case.target, case.last, strict=True)])
    loss = micro_ranking(case.prediction, case.target, case.last).item()
    assert loss == pytest.approx(np.log1p(np.exp(5 * (0.02 - gaps))).mean())
    assert loss > 0


def test_micro_ranking_falls_as_the_target_comes_nearer():
    target, last = axis(1), -axis(1)
    losses = [micro_ranking(rows_at(value), target, last).item() for value in (-1, -0.5, 0, 0.5, 1)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 10 * losses[-1]
