"""P7's anchor floor, its teacher and its gate."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from loss_cases import cases, cos, make_case, properties

from lvm_gates.trainers.losses import anchor_floor, directional_gate, teacher_pull

floors = st.floats(-0.9, 0.9)


def target_cosines(case):
    return np.array([cos(p, y) for p, y in zip(case.prediction, case.target, strict=True)])


@properties
@given(cases, floors)
def test_the_anchor_floor_is_the_mean_hinge(case, floor):
    short = floor - target_cosines(case)
    assume(np.abs(short).min() > 1e-9)
    loss = anchor_floor(case.prediction, case.target, floor).item()
    assert loss == pytest.approx(np.maximum(0, short).mean(), abs=1e-12)
    assert (loss == 0) == bool((short <= 0).all())


@properties
@given(cases, floors)
def test_the_teacher_pulls_only_those_below_the_floor(case, floor):
    cosines = target_cosines(case)
    assume(np.abs(cosines - floor).min() > 1e-9)
    astray = cosines < floor
    prediction = case.prediction.requires_grad_()
    loss = teacher_pull(prediction, case.target, floor)
    assert loss.item() == pytest.approx((1 - cosines[astray]).mean() if astray.any() else 0, abs=1e-12)
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert ((gradient.abs().sum(dim=1) > 0).numpy() <= astray).all()


def test_the_teacher_of_p7():
    prediction = torch.tensor([[1.0, 0.0], [0.1, 0.99**0.5], [0.0, 1.0]], dtype=torch.float64)
    target = torch.tensor([[1.0, 0.0]], dtype=torch.float64).repeat(3, 1)
    assert teacher_pull(prediction, target).item() == pytest.approx((0.9 + 1.0) / 2)


@properties
@given(cases, st.floats(-0.5, 0.5), st.floats(0, 1))
def test_the_gate_opens_where_the_step_goes_forward(case, threshold, low):
    reference = case.context[:, -2]
    steps = np.array([cos(x, y) - cos(x, r) for x, y, r in zip(case.last, case.target, reference, strict=True)])
    assume(np.abs(steps - threshold).min() > 1e-9)
    gate = directional_gate(case.last, case.target, reference, threshold, low)
    assert gate.dtype == case.last.dtype
    np.testing.assert_allclose(gate, np.where(steps >= threshold, 1.0, low))


@properties
@given(cases)
def test_the_original_gate_never_opens(case):
    """docs/sources.md, "P7": the reference was the last frame itself, so every weight was .25."""
    single = [t.float() for t in (case.last, case.target)]
    assert (directional_gate(*single, single[0]) == 0.25).all()
    # Not even where the target repeats the last frame.
    assert (directional_gate(case.last, case.last, case.last) == 0.25).all()


def test_the_gate_carries_no_gradient():
    case = make_case()
    assert not directional_gate(case.last.requires_grad_(), case.target, case.context[:, -2]).requires_grad
