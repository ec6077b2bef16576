"""What every loss has in common."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import cases, make_case, properties

import lvm_gates.trainers.losses
from lvm_gates.models.ranker import context_anchor
from lvm_gates.trainers.losses import (
    adaptive_weight,
    anchor_floor,
    anti_copy,
    bilinear_nce,
    cosine_each,
    directional_margin,
    energy_score,
    future_margin,
    info_nce,
    margin_ratio,
    micro_ranking,
    mse_loss,
    orthogonality,
    positive_floor,
    residual_regulariser,
    rollout_smoothness,
    rollout_smoothness_published,
    softplus_margin,
    teacher_pull,
    unit_norm_penalty,
)


def _ratio(c):
    return margin_ratio(cosine_each(c.prediction, c.target), cosine_each(c.prediction, c.last))


# Floors and margins so large that no hinge is shut for every sample.
OF_COSINES = {
    "directional_margin": lambda c: directional_margin(c.prediction, c.target, c.last, 0.9),
    "directional_margin, weighted": lambda c: directional_margin(
        c.prediction, c.target, c.last, 0.9, adaptive_weight(c.last, c.target)
    ),
    "anti_copy": lambda c: anti_copy(c.prediction, c.target, c.context, 0.9),
    "future_margin": lambda c: future_margin(c.prediction, c.target, c.future, c.exists, 0.9),
    "micro_ranking": lambda c: micro_ranking(c.prediction, c.target, c.last),
    "rollout_smoothness": lambda c: rollout_smoothness(
        torch.cat([c.prediction[None], c.rollout.transpose(0, 1)]), ceiling=-0.9
    ),
    "rollout_smoothness_published": lambda c: rollout_smoothness_published(c.prediction, c.last, ceiling=-0.9),
    "softplus_margin": lambda c: softplus_margin(
        cosine_each(c.prediction, c.target) - cosine_each(c.prediction, c.last), 0.04, 4.0
    ),
    "softplus_margin of the ratio": lambda c: softplus_margin(_ratio(c), 0.05, 4.0),
    "positive_floor": lambda c: positive_floor(cosine_each(c.prediction, c.target), 0.9),
    "orthogonality": lambda c: orthogonality(cosine_each(c.prediction, c.last)),
    "info_nce": lambda c: info_nce(c.prediction, c.target, c.negatives),
    "info_nce, own negatives": lambda c: info_nce(c.prediction, c.target, c.negatives, in_batch=False),
    "teacher_pull": lambda c: teacher_pull(c.prediction, c.target),
    "anchor_floor": lambda c: anchor_floor(c.prediction, context_anchor(c.context), 0.9),
}
OF_LENGTHS = {
    "mse_loss": lambda c: mse_loss(c.prediction, c.target),
    "unit_norm_penalty": lambda c: unit_norm_penalty(c.prediction),
    "residual_regulariser": lambda c: residual_regulariser(c.prediction),
    "bilinear_nce": lambda c: bilinear_nce(c.prediction, c.target, c.negatives),
    "bilinear_nce, some absent": lambda c: bilinear_nce(c.prediction, c.target, c.negatives, present=c.exists[:, 0]),
    "energy_score": lambda c: energy_score(torch.cat([c.prediction[:, None], c.rollout], dim=1), c.target),
}
LOSSES = OF_COSINES | OF_LENGTHS

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
every_loss_of_cosines = pytest.mark.parametrize("loss", OF_COSINES.values(), ids=list(OF_COSINES))


def test_all_public_names_exist_and_no_loss_is_forgotten_here():
    public = set(lvm_gates.trainers.losses.__all__)
    assert all(callable(getattr(lvm_gates.trainers.losses, name)) for name in public)
    weights = {"adaptive_weight", "adaptive_weight_published", "cap_share", "confidence", "lambda_eff"}
    others = {"cosine", "cosine_each", "directional_gate", "margin_ratio", "never_skip", "skip_on_negative", "skip_v21"}
    assert public - weights - others == {name.split(",")[0].split(" ")[0] for name in LOSSES}


@every_loss
@properties
@given(case=cases)
def test_it_is_a_scalar_that_is_not_negative(loss, case):
    value = loss(case)
    assert value.shape == ()
    assert 0 <= value < torch.inf


@every_loss
@properties
@given(case=cases, random=st.randoms(use_true_random=False))
def test_the_order_of_the_batch_does_not_matter(loss, case, random):
    order = list(range(len(case.target)))
    random.shuffle(order)
    shuffled = case.map(lambda name, tensor: tensor[order])
    assert loss(shuffled).item() == pytest.approx(loss(case).item(), rel=1e-9, abs=1e-12)


@every_loss_of_cosines
@properties
@given(case=cases, seed=st.integers(0, 2**31))
def test_lengths_do_not_matter(loss, case, seed):
    draw = torch.Generator().manual_seed(seed)

    def rescale(name, tensor):
        # The mean of a context weighs its frames, so that they are scaled alike.
        shape = (len(tensor), *(1 for _ in tensor.shape[1:])) if name == "context" else (*tensor.shape[:-1], 1)
        return tensor * 10 ** (2 * torch.rand(shape, generator=draw, dtype=tensor.dtype) - 1)

    scaled = case.map(lambda name, tensor: tensor if name == "exists" else rescale(name, tensor))
    assert loss(scaled).item() == pytest.approx(loss(case).item(), rel=1e-9, abs=1e-12)


@every_loss
def test_its_gradient_is_right(loss):
    case = make_case(seed=1)
    prediction = case.prediction.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss(case.predicting(p)), (prediction,))
    (gradient,) = torch.autograd.grad(loss(case.predicting(prediction)), prediction)
    assert gradient.abs().max() > 1e-4


@every_loss
@pytest.mark.parametrize(
    "degenerate",
    [
        lambda name, tensor: torch.zeros_like(tensor),
        lambda name, tensor: torch.zeros_like(tensor) if name == "prediction" else tensor,
        lambda name, tensor: tensor if name == "prediction" else torch.zeros_like(tensor),
        lambda name, tensor: torch.ones_like(tensor),
        lambda name, tensor: tensor[:1],
    ],
    ids=["all zero", "prediction zero", "others zero", "all equal", "one sample"],
)
def test_value_and_gradient_stay_finite(loss, degenerate):
    case = make_case(dtype=torch.float32).map(degenerate)
    prediction = case.prediction.clone().requires_grad_()
    value = loss(case.predicting(prediction))
    (gradient,) = torch.autograd.grad(value, prediction)
    assert value.isfinite()
    assert gradient.isfinite().all()
