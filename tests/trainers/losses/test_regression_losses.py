"""Properties that hold for any batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch.nn import functional

from lvm_gates.trainers.losses import cosine, cosine_each, mse_loss

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
NUMBERS = st.floats(-10, 10, width=32)


@st.composite
def pairs(draw):
    """Two batches of one shape, no row near zero."""
    shape = draw(SHAPES)
    batches = [torch.from_numpy(draw(arrays(np.float32, shape, elements=NUMBERS))) for _ in range(2)]
    for batch in batches:
        batch[:, 0] += torch.where(batch.norm(dim=1) < 0.1, 1.0, 0.0)
    return batches


# The default deadline flakes on the first call into torch.
properties = settings(deadline=None, max_examples=50)


@properties
@given(pairs())
def test_mse_is_not_negative_and_zero_at_the_target(pair):
    raw, target = pair
    assert mse_loss(raw, target) >= 0
    assert mse_loss(target, target) == 0


@properties
@given(pairs())
def test_mse_is_the_mean_squared_distance_over_the_width(pair):
    raw, target = pair
    distance = np.linalg.norm(raw.double().numpy() - target.double().numpy(), axis=1)
    assert mse_loss(raw, target).item() == pytest.approx((distance**2).mean() / raw.shape[1], rel=1e-4)


@properties
@given(pairs(), st.randoms(use_true_random=False))
def test_order_of_the_batch_does_not_matter(pair, random):
    raw, target = pair
    order = list(range(len(raw)))
    random.shuffle(order)
    for loss in (mse_loss, cosine):
        assert loss(raw[order], target[order]).item() == pytest.approx(loss(raw, target).item(), rel=1e-4, abs=1e-6)


@properties
@given(pairs())
def test_unit_mse_is_the_cosine_in_other_units(pair):
    """Why validation loss and validation cosine rank models alike: MSE = 2 (1 - cos) / D."""
    prediction, target = (functional.normalize(batch, dim=-1) for batch in pair)
    expected = 2 * (1 - cosine(prediction, target)) / prediction.shape[1]
    torch.testing.assert_close(mse_loss(prediction, target), expected, rtol=1e-4, atol=1e-6)


@properties
@given(pairs(), st.floats(0.1, 10))
def test_cosine_ignores_length(pair, scale):
    prediction, target = pair
    assert -1 - 1e-5 <= cosine(prediction, target) <= 1 + 1e-5
    torch.testing.assert_close(cosine(scale * prediction, target), cosine(prediction, target), rtol=1e-3, atol=1e-5)
    assert cosine(target, target).item() == pytest.approx(1, abs=1e-5)


@properties
@given(pairs())
def test_the_cosine_is_the_mean_of_the_cosines_of_the_rows(pair):
    a, b = (batch.double().numpy() for batch in pair)
    expected = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(cosine_each(*pair).numpy(), expected, atol=1e-5)
    assert cosine(*pair).item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_a_zero_row_has_cosine_zero():
    zero = torch.zeros(2, 3)
    assert cosine_each(zero, torch.ones(2, 3)).tolist() == [0, 0]
    assert cosine_each(zero, zero).tolist() == [0, 0]


@properties
@given(st.floats(0.05, 0.95))
def test_the_best_length_is_the_expected_cosine(cos):
    """Along a fixed direction MSE is least where ||r|| = cos: the length is the confidence."""
    target = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    direction = torch.tensor([[cos, (1 - cos**2) ** 0.5]], dtype=torch.float64)
    length = torch.tensor(cos, dtype=torch.float64, requires_grad=True)
    mse_loss(length * direction, target).backward()
    assert length.grad.item() == pytest.approx(0, abs=1e-12)


def test_gradient_is_right():
    torch.manual_seed(0)
    raw, target = (
        torch.randn(3, 4, dtype=torch.float64, requires_grad=True),
        torch.randn(3, 4, dtype=torch.float64),
    )
    assert torch.autograd.gradcheck(mse_loss, (raw, target))
