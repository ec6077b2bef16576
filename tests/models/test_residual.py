"""The residual wrapper: the last frame plus alpha times what the base says, and nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lvm_gates.models.registry import ARCHITECTURES, build

DIM = 8
properties = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**32 - 1)
alphas = st.floats(-4, 4, width=32)


def residual(seed, alpha=0.5, **config):
    torch.manual_seed(seed)
    model = build("residual", **{"input_dim": DIM, "width": 16, "depth": 1, "heads": 2} | config).eval()
    model.requires_grad_(False).alpha.fill_(alpha)
    return model


class Answer(torch.nn.Module):
    """A base network with one answer."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def raw(self, x):
        return self.answer

    def forward(self, x):
        return torch.nn.functional.normalize(self.answer, dim=-1)


@properties
@given(seeds, alphas, st.booleans(), st.floats(0, 10), st.integers(1, 4))
def test_predictions_are_of_unit_norm_whatever_comes_in(seed, alpha, normalise, size, context):
    model = residual(seed, alpha, normalise_delta=normalise)
    x = size * torch.randn(5, context, DIM)
    prediction, raw = model(x), model.raw(x)
    assert torch.isfinite(raw).all()
    assert torch.allclose(prediction.norm(dim=-1)[raw.norm(dim=-1) > 1e-6], torch.tensor(1.0), atol=1e-5)
    assert torch.isfinite(prediction).all()


@properties
@given(seeds, st.booleans())
def test_a_step_that_cancels_the_frame_stays_finite(seed, normalise):
    model = residual(seed, normalise_delta=normalise)
    x = torch.nn.functional.normalize(torch.randn(3, 4, DIM), dim=-1)
    delta = (-2 * x[:, -1]).requires_grad_()
    # With a base of unit norm, alpha has to be one for the step to cancel the frame.
    model.alpha.fill_(1.0 if normalise else 0.5)
    model.base = Answer(delta)
    prediction = model(x)
    assert model.raw(x).norm(dim=-1).max() < 1e-6
    assert torch.isfinite(prediction).all()
    prediction.sum().backward()
    assert torch.isfinite(delta.grad).all()


@properties
@given(seeds, st.booleans(), st.booleans())
def test_at_alpha_zero_it_copies_the_last_frame(seed, normalise, position):
    model = residual(seed, 0.0, input_dim=DIM + position, output_dim=DIM, normalise_delta=normalise)
    x = torch.randn(5, 3, DIM + position)
    assert torch.equal(model.raw(x), x[:, -1, :DIM])


@properties
@given(seeds, alphas)
def test_a_normalised_step_is_as_long_as_alpha(seed, alpha):
    model = residual(seed, alpha, normalise_delta=True)
    x = torch.randn(5, 3, DIM)
    delta = model.delta(x)
    assert torch.allclose(delta.norm(dim=-1), torch.ones(5), atol=1e-5)
    assert torch.allclose(model.raw(x) - x[:, -1], alpha * delta, atol=1e-5)


@pytest.mark.parametrize("base", sorted(set(ARCHITECTURES) - {"residual"}))
@pytest.mark.parametrize("normalise", [False, True])
def test_any_base(base, normalise):
    torch.manual_seed(0)
    model = build("residual", input_dim=DIM + 1, output_dim=DIM, base=base, normalise_delta=normalise, width=16).eval()
    x = torch.randn(4, 3, DIM + 1)
    step = model.base(x) if normalise else model.base.raw(x)
    assert torch.equal(model.delta(x), step)
    assert torch.equal(model.raw(x), x[:, -1, :DIM] + 0.5 * step)
    assert torch.equal(model.compose(x, step), model.raw(x))
    config = type(model).config_from(model.state_dict(), {"base": base, "normalise_delta": normalise})
    build("residual", **config).load_state_dict(model.state_dict(), strict=True)
    assert (config["base"], config["normalise_delta"]) == (base, normalise)


def test_alpha_is_learnt():
    model = build("residual", input_dim=DIM, width=16)
    assert model.alpha.item() == 0.5
    model.raw(torch.randn(2, 3, DIM)).sum().backward()
    assert model.alpha.grad != 0
