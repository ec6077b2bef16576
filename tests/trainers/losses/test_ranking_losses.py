"""InfoNCE: its bounds, its candidates, and which of them are left out."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import cases, cos, make_case, properties

from lvm_gates.trainers.losses import info_nce


def by_hand(case, temperature, in_batch, exclude, weight=1.0):
    losses = []
    for i, prediction in enumerate(case.prediction):
        others = list(case.negatives[i])
        if in_batch:
            others += [y for j, y in enumerate(case.target) if j != i and not exclude[i, j]]
        logits = np.array([cos(prediction, other) for other in [case.target[i], *others]]) / temperature
        losses.append(np.log(np.exp(logits - logits[0]).sum()))
    return np.mean(weight * np.array(losses))


@properties
@given(cases, st.floats(0.05, 1), st.booleans(), st.randoms(use_true_random=False))
def test_it_is_the_cross_entropy_over_the_candidates(case, temperature, in_batch, random):
    size = len(case.target)
    exclude = torch.tensor([[random.random() < 0.3 for _ in range(size)] for _ in range(size)])
    loss = info_nce(case.prediction, case.target, case.negatives, temperature, in_batch, exclude).item()
    assert loss == pytest.approx(by_hand(case, temperature, in_batch, exclude), rel=1e-9, abs=1e-12)


@properties
@given(cases, st.integers(0, 9))
def test_a_weight_is_a_factor_of_each_sample(case, seed):
    weight = np.random.default_rng(seed).uniform(0, 2, len(case.target))
    exclude = torch.zeros(len(weight), len(weight), dtype=torch.bool)
    loss = info_nce(case.prediction, case.target, case.negatives, 0.1, weight=torch.from_numpy(weight)).item()
    assert loss == pytest.approx(by_hand(case, 0.1, True, exclude, weight), rel=1e-9, abs=1e-12)


@properties
@given(st.integers(1, 9), st.integers(0, 4), st.booleans())
def test_equal_logits_cost_the_logarithm_of_the_number_of_candidates(size, count, in_batch):
    same = torch.ones(size, 3, dtype=torch.float64)
    negatives = same[:, None].repeat(1, count, 1)
    candidates = 1 + count + (size - 1 if in_batch else 0)
    assert info_nce(same, same, negatives, in_batch=in_batch).item() == pytest.approx(math.log(candidates), abs=1e-12)


def test_chance_in_p7():
    """docs/sources.md, "Reported metrics": batch 64 and three negatives of its own make 67 candidates, ln 67 = 4.2."""
    same = torch.ones(64, 8)
    assert info_nce(same, same, torch.ones(64, 3, 8)).item() == pytest.approx(4.2, abs=0.01)


@properties
@given(cases, st.randoms(use_true_random=False))
def test_the_right_pairing_is_never_worse_than_another(case, random):
    order = list(range(len(case.target)))
    random.shuffle(order)
    right = info_nce(case.target, case.target, None)
    wrong = info_nce(case.target[order], case.target, None)
    assert right <= wrong + 1e-12
    if order != sorted(order):
        assert right < wrong


@pytest.mark.parametrize("exclude", [torch.ones(5, 5, dtype=torch.bool), None])
def test_without_a_rival_there_is_nothing_to_lose(exclude):
    case = make_case()
    prediction = case.prediction.requires_grad_()
    loss = info_nce(prediction, case.target, None, in_batch=exclude is not None, exclude=exclude)
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert loss == 0
    assert gradient.abs().max() == 0


def test_excluding_equal_targets_spares_them():
    """Two windows with one target: each would be told to leave its own answer."""
    target = torch.eye(3, dtype=torch.float64)[[0, 0, 1]]
    equal = (target @ target.T) > 0.99
    plain, spared = (info_nce(target, target, None, exclude=exclude) for exclude in (None, equal))
    assert plain.item() > 2 / 3 * math.log(2)
    assert spared.item() < 1e-5


def test_negatives_get_a_gradient_too():
    case = make_case(seed=3)
    negatives = case.negatives.requires_grad_()
    target = case.target.requires_grad_()
    assert torch.autograd.gradcheck(lambda n, y: info_nce(case.prediction, y, n), (negatives, target))
