"""P2's penalty on its residual."""

import pytest
import torch
from hypothesis import given
from loss_cases import cases, properties
from torch.nn import functional

from lvm_gates.trainers.losses import residual_regulariser


@properties
@given(cases)
def test_it_is_the_mean_square_of_the_coordinates(case):
    delta = case.prediction
    assert residual_regulariser(delta).item() == pytest.approx((delta.numpy() ** 2).mean())
    assert residual_regulariser(torch.zeros_like(delta)) == 0


@properties
@given(cases)
def test_it_is_constant_on_a_normalised_residual(case):
    """P2 as it was run adds a vector of length 1, whatever it has learnt (docs/sources.md, "P2")."""
    delta = functional.normalize(case.prediction, dim=-1)
    assert residual_regulariser(delta).item() == pytest.approx(1 / delta.shape[1])
