"""InfoNCE of scalar products: by hand, its bounds, and what is no candidate."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loss_cases import cases, make_case, properties

from lvm_gates.trainers.losses import bilinear_nce, info_nce


@properties
@given(cases, st.floats(0.1, 5), st.integers(0, 99))
def test_it_is_the_cross_entropy_over_the_candidates_that_are_there(case, sharpness, seed):
    draw = np.random.default_rng(seed)
    size, count = case.negatives.shape[:2]
    exclude, ignore, present = (draw.random(shape) < 0.4 for shape in ((size, size), (size, count), size))
    each = []
    for i, r in enumerate(case.prediction):
        others = [case.negatives[i, n] for n in range(count) if not ignore[i, n]]
        others += [case.target[j] for j in range(size) if j != i and present[j] and not exclude[i, j]]
        scores = sharpness * np.array([(r @ z).item() for z in [case.target[i], *others]])
        each.append(np.log(np.exp(scores - scores[0]).sum()))
    expected = np.mean(np.array(each)[present]) if present.any() else 0
    masks = {"exclude": exclude, "ignore": ignore, "present": present}
    masks = {name: torch.from_numpy(mask) for name, mask in masks.items()}
    found = bilinear_nce(case.prediction, case.target, case.negatives, sharpness, **masks).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@properties
@given(st.integers(1, 9), st.integers(0, 4), st.booleans(), st.floats(0, 3))
def test_equal_logits_cost_the_logarithm_of_the_number_of_candidates(size, count, in_batch, length):
    same = torch.ones(size, 3, dtype=torch.float64)
    negatives = same[:, None].repeat(1, count, 1)
    candidates = 1 + count + (size - 1 if in_batch else 0)
    found = bilinear_nce(length * same, same, negatives, in_batch=in_batch).item()
    assert found == pytest.approx(math.log(candidates), abs=1e-12)


@properties
@given(cases, st.floats(0.05, 1))
def test_of_unit_vectors_it_is_p7s_with_the_temperature_as_its_inverse(case, temperature):
    p, y, n = (torch.nn.functional.normalize(x, dim=-1) for x in (case.prediction, case.target, case.negatives))
    expected = info_nce(p, y, n, temperature).item()
    assert bilinear_nce(p, y, n, 1 / temperature).item() == pytest.approx(expected, rel=1e-9)


def test_a_longer_prediction_is_a_surer_one():
    target = torch.nn.functional.normalize(make_case().target, dim=-1)
    costs = [bilinear_nce(length * target, target).item() for length in (1, 2, 4)]
    assert costs == sorted(costs, reverse=True)
