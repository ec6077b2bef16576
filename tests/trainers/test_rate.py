"""Warm-up and cosine: the factor of every step, and that the optimiser is left as it was."""

import pytest
import torch

from lvm_gates.trainers.rate import multiplied, rate_factor
from lvm_gates.trainers.training_settings import Rate


@pytest.mark.parametrize(
    ("rate", "epochs", "at"),
    [
        (Rate(), 4, {0.1: 1, 2: 1, 4: 1}),
        (Rate("constant", warmup=2.0), 4, {0.1: 0.05, 1: 0.5, 2: 1, 3: 1}),
        (Rate("plateau", warmup=0.5), 4, {0.25: 0.5, 0.5: 1, 4: 1}),
        (Rate("cosine"), 4, {1: 0.8535534, 2: 0.5, 4: 0, 5: 0}),
        (Rate("cosine", floor=0.2), 4, {2: 0.6, 4: 0.2}),
        (Rate("cosine", epochs=2), 4, {1: 0.5, 2: 0, 3: 0}),
        (Rate("cosine", warmup=2.0), 4, {1: 0.5, 2: 1, 3: 0.5, 4: 0}),
        (Rate("cosine", warmup=4.0), 4, {2: 0.5, 4: 1}),
    ],
)
def test_the_factor_is_the_curve(rate, epochs, at):
    assert {done: rate_factor(rate, float(done), epochs) for done in at} == pytest.approx(at)


def test_a_step_is_made_at_the_multiplied_rate_and_the_rate_comes_back():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.3)
    weight.grad = torch.ones(1)
    with multiplied(optimizer, 0.1):
        optimizer.step()
    assert weight.item() == pytest.approx(-0.03)
    assert optimizer.param_groups[0]["lr"] == 0.3
