"""P6b's terms and brakes, and what docs/sources.md says of them."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from loss_cases import properties

from lvm_gates.trainers.losses import (
    cap_share,
    confidence,
    lambda_eff,
    margin_ratio,
    never_skip,
    orthogonality,
    positive_floor,
    skip_on_negative,
    skip_v21,
    softplus_margin,
    unit_norm_penalty,
)

cosines = st.floats(-1, 1)
batches = st.lists(cosines, min_size=1, max_size=9)
# With infinity and the subnormal numbers: a quotient of them must not become NaN.
not_negative = st.floats(0, allow_infinity=True)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def scalar(value):
    return torch.tensor(value, dtype=torch.float64)


def same_sign_as(difference, slope):
    return np.sign(difference) == np.sign(slope)


@properties
@given(batches, st.floats(0, 0.1), st.sampled_from([4.0, 8.0]))
def test_the_softplus_margin_is_a_hinge_with_a_round_corner(gaps, margin, sharpness):
    loss = softplus_margin(double(*gaps), margin, sharpness).item()
    short = margin - np.array(gaps)
    assert loss == pytest.approx((np.log1p(np.exp(sharpness * short)) / sharpness).mean(), rel=1e-6)
    hinge = np.maximum(0, short).mean()
    assert hinge <= loss + 1e-9
    assert loss <= hinge + np.log(2) / sharpness + 1e-9


@properties
@given(batches, st.floats(0, 0.1))
def test_less_sharp_is_larger_at_the_same_gap(gaps, margin):
    assert softplus_margin(double(*gaps), margin, 4.0) > softplus_margin(double(*gaps), margin, 8.0)


def test_softer_is_not_a_lower_penalty():
    """docs/sources.md, "P6b": the documents expect sharpness 4 to lower it; at the gap where 8 gives .127 it gives
    .211.
    """
    short = np.log(np.expm1(8 * 0.127)) / 8
    gap = double(0.04 - short)
    assert softplus_margin(gap, 0.04, 8.0).item() == pytest.approx(0.127, abs=1e-6)
    assert softplus_margin(gap, 0.04, 4.0).item() == pytest.approx(0.211, abs=5e-4)


@properties
@given(batches, st.randoms(use_true_random=False))
@example([0.0, -0.0], None)
@example([5e-324, 1e-12], None)
def test_the_ratio_is_bounded(values, random):
    others = values[::-1] if random is None else [random.uniform(-1, 1) for _ in values]
    positive, negative = double(*values), double(*others)
    ratio = margin_ratio(positive, negative)
    assert (ratio.abs() <= 1).all()
    assert all(same_sign_as(p - n, r) for p, n, r in zip(values, others, ratio.tolist(), strict=True))
    torch.testing.assert_close(margin_ratio(negative, positive), -ratio)


def test_the_ratio_of_nothing_is_zero():
    positive, negative = double(0.0).requires_grad_(), double(0.0).requires_grad_()
    ratio = margin_ratio(positive, negative)
    assert ratio.tolist() == [0.0]
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(ratio.sum(), (positive, negative)))
    assert margin_ratio(double(0.5, 0.0, 0.2), double(0.1, 0.3, 0.2)).tolist() == pytest.approx([4 / 6, -1, 0])


def test_the_ratio_does_not_see_two_negatives():
    """docs/sources.md, "P6b": the example meant to be punished has ratio +.80, beyond the margin of .05."""
    assert margin_ratio(double(-0.05), double(-0.45)).tolist() == pytest.approx([0.8])


@properties
@given(not_negative, not_negative, st.floats(0, 1), st.sampled_from([0.05, 0.02, 0.03, 0.018]))
@example(0.0, 0.0, 0.2, 0.05)
@example(float("inf"), float("inf"), 0.2, 0.05)
@example(1.0, 5e-324, 0.2, 0.05)
def test_lambda_stays_inside_its_clamp(mse, term, share, high):
    for dtype in (torch.float32, torch.float64):
        losses = torch.tensor([mse, term], dtype=torch.float64).to(dtype)
        weight = lambda_eff(losses[0], losses[1], share, high=high)
        bounds = torch.tensor([1e-4, high], dtype=dtype)
        assert bounds[0] <= weight <= bounds[1]


@properties
@given(st.floats(1e-4, 1e-2), st.floats(1e-3, 1), st.floats(0.1, 0.25))
def test_lambda_gives_the_term_its_share_between_the_clamps(mse, term, share):
    weight = lambda_eff(scalar(mse), scalar(term), share, low=0.0, high=float("inf")).item()
    assert weight * term == pytest.approx(share * mse)
    assert lambda_eff(scalar(mse), scalar(term), share).item() == pytest.approx(min(max(weight, 1e-4), 0.05))


def test_lambda_without_a_term_is_at_a_clamp():
    assert lambda_eff(scalar(0.0013), scalar(0.0), 0.2) == 0.05
    assert lambda_eff(scalar(0.0), scalar(0.0), 0.2) == 1e-4
    assert lambda_eff(scalar(0.0), scalar(0.1), 0.2) == 1e-4


def test_lambda_hits_its_clamp_because_the_goal_is_met():
    """docs/sources.md, "P6b": at the collapse, gap .460, the term was tiny and its share of the MSE 16 %."""
    mse = scalar(1 / 768)
    term = softplus_margin(double(0.460), 0.04, 8.0)
    assert term.item() == pytest.approx(0.0043, abs=5e-5)
    weight = lambda_eff(mse, term, 0.20)
    assert weight == 0.05
    assert (weight * term / mse).item() == pytest.approx(0.16, abs=0.005)


@pytest.mark.parametrize(("sharpness", "share", "product"), [(8.0, 0.10, 0.8), (8.0, 0.20, 1.6), (4.0, 0.15, 0.6)])
def test_the_push_does_not_end_at_the_margin(sharpness, share, product):
    """docs/sources.md, "Why runs collapsed": lambda times the slope of the term goes to share * sharpness * MSE, a
    hinge's to 0.
    """
    mse, margin = scalar(0.0013), 0.04

    def push(gap):
        gap = double(gap).requires_grad_()
        term = softplus_margin(gap, margin, sharpness)
        weight = lambda_eff(mse, term, share, low=0.0, high=float("inf"))
        (slope,) = torch.autograd.grad(weight * term, gap)
        return -slope.item() / mse.item()

    pushes = [push(gap) for gap in (margin, 0.2, 0.5, 1.0, 2.0)]
    assert pushes == sorted(pushes)
    assert pushes[-1] == pytest.approx(product, rel=1e-3)


def test_weights_carry_no_gradient():
    mse, term = (scalar(value).requires_grad_() for value in (0.0013, 0.1))
    assert not lambda_eff(mse, term, 0.2).requires_grad
    assert not cap_share(term, term, mse, 0.25).requires_grad
    assert not confidence(term).requires_grad


@properties
@given(st.floats(0, 1), st.floats(0, 10), st.floats(0, 1), st.floats(0.1, 0.5))
@example(0.05, 0.0, 0.0, 0.25)
@example(0.05, 1.0, 0.0, 0.25)
def test_the_cap_lowers_a_weight_only_where_its_share_is_above_it(weight, term, mse, cap):
    for given_weight in (weight, scalar(weight)):
        capped = cap_share(given_weight, scalar(term), scalar(mse), cap).item()
        assert 0 <= capped <= weight * (1 + 1e-9)
        assert capped * term <= cap * mse * (1 + 1e-9) + 1e-300
        if weight * term <= cap * mse:
            assert capped == weight
        else:
            assert capped * term == pytest.approx(cap * mse, rel=1e-6, abs=1e-300)


@properties
@given(st.floats(1e-5, 1e-2), st.floats(1e-4, 1), st.floats(0.1, 0.25))
def test_the_cap_of_v21_is_inert(mse, term, share):
    """docs/sources.md, "P6b": no share asked for is above the cap, unless the lower clamp raises it."""
    weight = lambda_eff(scalar(mse), scalar(term), share, low=0.0, high=0.02)
    torch.testing.assert_close(cap_share(weight, scalar(term), scalar(mse), 0.25), weight)


@properties
@given(cosines, cosines)
@example(0.0, 0.0)
@example(-1e-12, 0.5)
@example(0.5, -1e-12)
def test_v2_skips_exactly_when_a_mean_is_negative(positive, negative):
    expected = min(positive, negative) < 0
    assert bool(skip_on_negative(scalar(positive), scalar(negative))) is expected
    assert not never_skip(scalar(positive), scalar(negative))


@pytest.mark.parametrize(
    ("positive", "negative", "skipped"),
    [
        (-0.01, 0.5, True),
        (0.0, 0.5, False),
        (0.04, -0.06, True),
        (0.04, -0.05, False),
        (0.05, -0.5, False),
        (0.5, -0.5, False),
    ],
)
def test_v21_skips_two_weak_cosines_but_not_one_negative(positive, negative, skipped):
    assert bool(skip_v21(scalar(positive), scalar(negative))) is skipped


@properties
@given(batches, st.floats(-0.5, 0.5))
def test_the_floor_is_a_squared_hinge(values, floor):
    loss = positive_floor(double(*values), floor).item()
    assert loss == pytest.approx((np.maximum(0, floor - np.array(values)) ** 2).mean())
    if min(values) >= floor:
        assert loss == 0
    if min(values) < floor - 1e-6:
        assert loss > 0


def test_the_floor_of_v21():
    assert positive_floor(double(0.0, 0.10, 0.5), 0.10).item() == pytest.approx(0.01 / 3)


@properties
@given(st.lists(st.floats(0, 5), min_size=1, max_size=9))
def test_the_norm_penalty_is_of_the_length_alone(lengths):
    vectors = double(*lengths)[:, None] * double(0.6, -0.8)
    loss = unit_norm_penalty(vectors).item()
    assert loss == pytest.approx(((np.array(lengths) - 1) ** 2).mean(), abs=1e-12)


def test_the_norm_penalty_is_inert_on_a_prediction():
    assert unit_norm_penalty(torch.eye(3)) == 0


@properties
@given(batches)
def test_orthogonality_is_the_mean_square(values):
    assert orthogonality(double(*values)).item() == pytest.approx(np.square(values).mean())
    assert orthogonality(torch.zeros(len(values))) == 0


@pytest.mark.parametrize(
    ("mean", "expected"), [(-1.0, 0), (0.30, 0), (0.375, 0.5), (0.45, 1), (0.9, 1), (0.31, 0.01 / 0.15)]
)
def test_confidence_rises_from_start_to_start_plus_width(mean, expected):
    assert confidence(scalar(mean)).item() == pytest.approx(expected)
